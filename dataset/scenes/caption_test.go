package scenes

import (
	"fmt"
	"image"
	"math"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/winnow-go/winnow/internal/rng"
)

func TestCaptionsDependOnThePictureAlone(t *testing.T) {
	long, short := mustNew(t, Options{Seed: 5, N: 200}), mustNew(t, Options{Seed: 5, N: 50})
	other := mustNew(t, Options{Seed: 6, N: 50})
	want := make([]string, short.Len())
	same := 0
	for i := range want {
		want[i] = long.Caption(i)
		if other.Caption(i) == want[i] {
			same++
		}
	}
	if same > 5 {
		t.Errorf("%d of 50 captions do not depend on the seed", same)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range want {
				_ = pixelsOf(short, i) // drawing in between changes nothing
				if got := short.Caption(i); got != want[i] {
					t.Errorf("caption %d is %q in the short set, %q in the long one", i, got, want[i])
				}
			}
		})
	}
	wg.Wait()
	// A few are fixed, as pictures are.
	if got := strings.Join(want[:3], "|"); got != goldenCaptions {
		t.Errorf("captions have changed: %q", got)
	}
}

const goldenCaptions = "A green tree with blue parts at the top|Brown bird, with yellow parts|Stripy mushroom"

func pixelsOf(s *Set, i int) []uint8 {
	img, _ := s.Image(i)
	return img.(*image.RGBA).Pix
}

// TestCaptionsNameTheCategory: nine in ten do, and hardly any another one.
func TestCaptionsNameTheCategory(t *testing.T) {
	for name, s := range map[string]*Set{
		"known":     mustNew(t, Options{Seed: 3, N: 2000}),
		"strangers": mustStrangers(t, Options{Seed: 3, N: 2000}),
		"testing":   mustNew(t, Options{Seed: 3, N: 2000, Style: Testing}),
	} {
		t.Run(name, func(t *testing.T) {
			var words [][]*regexp.Regexp // of each category
			for _, c := range s.Classes() {
				words = append(words, wordsOf(c))
			}
			own, name, foreign, none := 0, 0, 0, 0
			for i := range s.Len() {
				text := strings.ToLower(s.Caption(i))
				if strings.Contains(text, s.Classes()[s.Label(i)]) {
					name++
				}
				hit := false
				for k := range words {
					if says(text, words[k]) {
						hit = true
						if k == s.Label(i) {
							own++
						} else {
							foreign++
						}
					}
				}
				if !hit {
					none++
				}
			}
			share := func(n int) float64 { return float64(n) / 2000 }
			// Shares of 2,000 draws lie within 5 standard deviations.
			within := func(what string, n int, want float64) {
				if d := 5 * math.Sqrt(want*(1-want)/2000); math.Abs(share(n)-want) > d {
					t.Errorf("%s: %.4f, want %.4f±%.4f", what, share(n), want, d)
				}
			}
			within("own category", own, 0.93)
			within("another category", foreign, 0.02)
			within("no category", none, 0.05)
			if share(name) < 0.45 || share(name) > 0.85 {
				t.Errorf("%.2f of captions have the name of the category itself", share(name))
			}
		})
	}
}

// wordsOf matches the words for a category.
func wordsOf(category string) []*regexp.Regexp {
	all := append([]string{category}, synonyms[category]...)
	for key, p := range poses {
		if strings.HasPrefix(key, category+" ") {
			all = append(all, p.nouns...)
		}
	}
	var out []*regexp.Regexp
	for _, w := range all {
		out = append(out, regexp.MustCompile(`\b`+w+`\b`))
	}
	return out
}

func says(text string, words []*regexp.Regexp) bool {
	for _, w := range words {
		if w.MatchString(text) {
			return true
		}
	}
	return false
}

func TestCaptionsVary(t *testing.T) {
	s := mustNew(t, Options{Seed: 9, N: 2000})
	seen := map[string]int{}
	letters := regexp.MustCompile(`^[A-Za-z][A-Za-z :,.-]*$`)
	for i := range s.Len() {
		text := s.Caption(i)
		seen[text]++
		if !letters.MatchString(text) || strings.Contains(text, "{}") || strings.Contains(text, "  ") || len(text) > 140 {
			t.Errorf("caption %d: %q", i, text)
		}
		if regexp.MustCompile(`(?i)\ba [aeio]|\ban [^aeiou]`).MatchString(text) {
			t.Errorf("caption %d has a wrong article: %q", i, text)
		}
	}
	if len(seen) < 1500 {
		t.Errorf("%d different captions of 2000", len(seen))
	}
}

// TestCaptionKnowsThePose draws each pose's object by itself: the picture must
// be the one that the set shows.
func TestCaptionKnowsThePose(t *testing.T) {
	drawn := map[string]func(*pen){
		"bird flying":    func(p *pen) { p.maybe(40); birdInFlight(p) },
		"airplane above": func(p *pen) { p.maybe(50); airplaneFromAbove(p) },
		"cat sitting":    func(p *pen) { p.maybe(45); catSitting(p) },
	}
	s := mustNew(t, Options{Seed: 4, N: 300})
	seen := map[string]int{}
	for i := range s.Len() {
		f := s.facts(i)
		pose := f.category + " " + f.pose
		seen[pose]++
		for key, draw := range drawn {
			if !strings.HasPrefix(key, f.category+" ") {
				continue
			}
			r := rng.New(s.o.Seed, rng.Scene, uint64(s.o.Style), s.origin, sceneKey, uint64(i))
			img := newArtist(s.o.Size).scene(r, &manners[Training], draw)
			same := string(img.Pix) == string(pixels(t, s, i))
			if same != (pose == key) {
				t.Errorf("picture %d is said to be %q; drawn as %q it is the same: %v", i, pose, key, same)
			}
		}
	}
	for pose := range poses {
		if seen[pose] < 3 {
			t.Errorf("pose %q: %d of 300 pictures", pose, seen[pose])
		}
	}
}

// TestCaptionKnowsTreesAndBoats looks for what tells the kinds apart: the draws
// that poseOf repeats are those of tree and boat.
func TestCaptionKnowsTreesAndBoats(t *testing.T) {
	s := mustNew(t, Options{Seed: 4, N: 1500})
	counts := map[string]int{}
	for i := range s.Len() {
		f := s.facts(i)
		counts[f.category+" "+f.pose]++
	}
	for pose, want := range map[string]float64{"tree conifer": 0.25, "tree narrow": 0.25, "boat sails": 2. / 3, "boat funnels": 1. / 3} {
		if got := float64(counts[pose]) / 150; math.Abs(got-want) > 5*math.Sqrt(want*(1-want)/150) {
			t.Errorf("%s: %.3f of its category, want %.3f", pose, got, want)
		}
	}
}

func TestColourNames(t *testing.T) {
	for c, want := range map[rgb]string{
		{0, 0, 0}: "black", {20, 10, 30}: "black", {128, 128, 128}: "grey", {250, 245, 250}: "white",
		{220, 20, 20}: "red", {240, 140, 20}: "orange", {130, 75, 20}: "brown", {240, 230, 40}: "yellow",
		{30, 160, 30}: "green", {40, 210, 210}: "turquoise", {30, 40, 220}: "blue", {140, 30, 200}: "purple",
		{240, 60, 180}: "pink", {250, 170, 175}: "pink",
	} {
		if got := colourName(c); got != want {
			t.Errorf("%v is called %s, want %s", c, got, want)
		}
	}
	known := fmt.Sprint(colourNames)
	for h := range 1536 {
		if name := colourName(hsv(h, 200, 200)); !strings.Contains(known, name) {
			t.Fatalf("hue %d is called %q", h, name)
		}
	}
}

func BenchmarkCaption(b *testing.B) {
	s := mustNew(b, Options{Seed: 1})
	i := 0
	for b.Loop() {
		_ = s.Caption(i % s.Len())
		i++
	}
}
