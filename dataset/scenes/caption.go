package scenes

import (
	"math/rand/v2"
	"strings"

	"github.com/winnow-go/winnow/internal/rng"
)

// captionKey follows orderKey and sceneKey, and is as fixed as they are.
const captionKey uint64 = 2

// Shares of captions, in percent. Together they are what makes captions as
// unreliable as those of the web.
const (
	vagueCaptions  = 5 // name something wider than the category, or nothing at all
	wrongDetails   = 3 // have another colour or another place
	strayedCaption = 2 // belong to a picture of another category
)

// Caption describes picture i in English, as somebody might who puts it on the
// web: "a photo of a red car on a green background", "Sitting cat", "a plane,
// striped". Captions are what a CLIP is trained on (package clip).
//
// It names the category by one of several words and may say what can be seen of
// it: colours, textures, the pose of those that have several, background, place
// and size. One in twenty is vague ("a picture of an animal"), one in
// thirty-three gets a detail wrong and one in fifty belongs to a picture of
// another category. It depends on what the picture does, and on nothing else.
//
// It takes about as long as drawing the picture.
func (s *Set) Caption(i int) string {
	label := s.Label(i) // panics if there is no such picture
	r := rng.New(s.o.Seed, rng.Scene, uint64(s.o.Style), s.origin, captionKey, uint64(i))
	f := s.facts(i)
	luck := r.IntN(100)
	vague := luck < vagueCaptions
	luck -= vagueCaptions
	wrong := luck >= 0 && luck < wrongDetails
	luck -= wrongDetails
	if luck >= 0 && luck < strayedCaption {
		other := (label + 1 + r.IntN(len(s.kinds)-1)) % len(s.kinds)
		f.category, f.pose = s.classes[other], ""
	}
	if wrong {
		f.main, f.across, f.down = anyOf(r, colourNames), -f.across, -f.down
	}
	return f.caption(r, vague)
}

// facts is what can be said about a picture.
type facts struct {
	category     string
	pose         string // a key of poses, "" for none
	main, second string // colours
	ground       string
	texture      texture // of the object
	wall         texture // of the background; grain and fade too
	across, down int     // -1 left or up, 1 right or down, 0 near the middle
	large, small bool
}

// facts looks over the artist's shoulder: the scene is painted up to its
// object, whose draws are then told instead of drawn.
func (s *Set) facts(i int) facts {
	f := facts{category: s.classes[s.Label(i)]}
	m := &manners[s.o.Style]
	scene := func() *rand.Rand {
		return rng.New(s.o.Seed, rng.Scene, uint64(s.o.Style), s.origin, sceneKey, uint64(i))
	}
	// The first draws are the background's: its colour, a direction, its kind.
	r := scene()
	f.ground = colourName(m.ground.draw(r))
	r.IntN(turn)
	switch r.IntN(5) {
	case 0:
		f.wall = fade
	case 1:
		f.wall = stripes // or another pattern
	case 2:
		f.wall = grain
	}
	a := s.artists.Get().(*artist)
	defer s.artists.Put(a)
	a.scene(scene(), m, func(p *pen) {
		f.main, f.second = colourName(p.look.main.a), colourName(p.look.second.a)
		f.texture = p.look.main.kind
		half := int64(a.c.w * 128)
		third := func(t int64) int {
			switch off := (t - half) * 1000 / half; {
			case off < -90:
				return -1
			case off > 90:
				return 1
			}
			return 0
		}
		f.across, f.down = third(p.v.tx), third(p.v.ty)
		size := p.v.length(1000) * 1000 / int(half)
		f.large, f.small = size > 640, size < 540
		f.pose = poseOf(f.category, p)
	})
	return f
}

// poseOf makes the draws that decide a category's pose, in the order in which
// its drawing makes them.
func poseOf(category string, p *pen) string {
	choose := func(percent int, yes, no string) string {
		if p.maybe(percent) {
			return yes
		}
		return no
	}
	skip := func(spans ...span) {
		for _, s := range spans {
			s.draw(p.r)
		}
	}
	switch category {
	case "airplane":
		return choose(50, "above", "")
	case "bird":
		return choose(40, "flying", "perched")
	case "cat":
		return choose(45, "sitting", "face")
	case "boat":
		skip(span{150, 350}, span{650, 850}, span{820, 980}, span{700, 900})
		if p.r.IntN(3) < 2 {
			return "sails"
		}
		return "funnels"
	case "tree":
		skip(span{90, 180})
		return []string{"conifer", "", "", "narrow"}[p.r.IntN(4)]
	}
	return ""
}

// caption puts facts into words. Draws are made one after the other, so the
// order of the lines below is part of what a seed means.
func (f facts) caption(r *rand.Rand, vague bool) string {
	maybe := func(percent int) bool { return r.IntN(100) < percent }
	noun := f.noun(r)
	if vague {
		if maybe(30) {
			return finish(r, strings.ReplaceAll(anyOf(r, emptySentences), "{}", article(f.ground, false)))
		}
		noun = wider[f.category]
	}
	// Words before the noun, then after it.
	var before, after []string
	if maybe(12) {
		switch {
		case f.large:
			before = append(before, anyOf(r, []string{"big", "large", "huge"}))
		case f.small:
			before = append(before, anyOf(r, []string{"small", "little", "tiny"}))
		default:
			before = append(before, anyOf(r, []string{"nice", "beautiful", "lovely", "simple"}))
		}
	}
	coloured := maybe(45)
	if coloured {
		before = append(before, f.main)
	}
	if words := textureNames[f.texture]; words != nil && maybe(50) {
		before = append(before, anyOf(r, words))
	}
	if coloured && maybe(20) && f.second != f.main {
		after = append(after, "with "+f.second+" parts")
	}
	if pose := poses[f.category+" "+f.pose]; pose.after != nil && !vague && maybe(25) {
		after = append(after, anyOf(r, pose.after))
	}
	if maybe(20) {
		after = append(after, f.background(r))
	}
	if where := f.where(); where != "" && maybe(15) {
		after = append(after, where)
	}
	thing := strings.Join(append(before, noun), " ")
	if maybe(22) { // a title or tags, without an article
		sep := " "
		if maybe(30) {
			sep = ", "
		}
		return finish(r, strings.Join(append([]string{thing}, after...), sep))
	}
	thing = strings.Join(append([]string{article(thing, maybe(12))}, after...), " ")
	return finish(r, strings.ReplaceAll(anyOf(r, sentences), "{}", thing))
}

// noun is a word for the category: its name in half of the captions.
func (f facts) noun(r *rand.Rand) string {
	if r.IntN(100) < 50 {
		return f.category
	}
	if pose := poses[f.category+" "+f.pose]; pose.nouns != nil && r.IntN(100) < 50 {
		return anyOf(r, pose.nouns)
	}
	return anyOf(r, synonyms[f.category])
}

func (f facts) background(r *rand.Rand) string {
	surface := anyOf(r, []string{"background", "background", "wall", "ground"})
	kind := ""
	switch f.wall {
	case stripes:
		kind = "patterned "
	case grain:
		kind = "rough "
	case fade:
		kind = "soft "
	}
	if r.IntN(100) < 50 {
		kind = ""
	}
	return anyOf(r, []string{"on", "against", "in front of"}) + " " + article(kind+f.ground+" "+surface, false)
}

// where is the object's place, "" near the middle.
func (f facts) where() string {
	down := []string{"at the top", "", "at the bottom"}[f.down+1]
	across := []string{"on the left", "", "on the right"}[f.across+1]
	return strings.TrimSpace(down + " " + across)
}

// article puts "the" or the indefinite article before a phrase.
func article(phrase string, definite bool) string {
	switch {
	case definite:
		return "the " + phrase
	case strings.ContainsRune("aeio", rune(phrase[0])) || strings.HasPrefix(phrase, "umbrella"):
		return "an " + phrase
	}
	return "a " + phrase
}

// finish gives a caption a capital letter or a full stop, or neither.
func finish(r *rand.Rand, text string) string {
	if r.IntN(100) < 40 {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	if r.IntN(100) < 50 {
		text += "."
	}
	return text
}

func anyOf(r *rand.Rand, words []string) string { return words[r.IntN(len(words))] }
