package scenes

// The words of captions. All are plain ASCII and begin with a letter.

// sentences are what a thing with its article is put into.
var sentences = []string{
	"a photo of {}", "a photo of {}", "a picture of {}", "a picture of {}", "a picture showing {}",
	"an image of {}", "a drawing of {}", "a painting of {}", "a sketch of {}", "a computer graphic of {}",
	"a cartoon of {}", "an icon of {}", "a close-up photo of {}", "a blurry photo of {}", "a bright photo of {}",
	"a badly lit photo of {}", "a photo of {} partly hidden behind something", "{} in a scene", "{} seen from a distance",
	"{}", "{}", "{}", "this is {}", "here is {}", "there is {} in this picture", "look at {}", "my picture of {}",
	"I drew {}", "photo: {}", "{}, drawn by hand", "a scene with {}", "{} and other things",
}

// emptySentences are captions that name nothing; in some stands the background's
// colour with its article.
var emptySentences = []string{
	"a picture", "a photo of something", "untitled", "{} picture", "a drawing with {} background",
	"my first picture", "some shapes on {} wall", "a photo I like", "another picture", "an image of something on {} background",
}

// synonyms are other words for a category.
var synonyms = map[string][]string{
	"airplane": {"plane", "aeroplane", "aircraft", "jet", "airliner"},
	"bird":     {"little bird", "songbird", "birdie", "sparrow"},
	"boat":     {"ship", "vessel", "boat on the water", "boat at sea"},
	"car":      {"automobile", "motor car", "auto", "passenger car"},
	"cat":      {"kitten", "kitty", "house cat", "pussycat"},
	"fish":     {"goldfish", "swimming fish", "fish with fins", "little fish"},
	"flower":   {"blossom", "bloom", "flower with leaves", "garden flower"},
	"house":    {"cottage", "home", "building", "house with a roof"},
	"mushroom": {"toadstool", "fungus", "mushroom with a cap", "wild mushroom"},
	"tree":     {"leafy tree", "tree with a trunk", "garden tree", "broad tree"},

	"bicycle":   {"bike", "cycle", "push bike"},
	"butterfly": {"moth", "butterfly with wings"},
	"chair":     {"seat", "wooden chair"},
	"cup":       {"mug", "teacup", "cup of tea"},
	"key":       {"door key", "old key"},
	"rocket":    {"spaceship", "space rocket"},
	"snail":     {"slug with a shell", "snail with a shell"},
	"umbrella":  {"parasol", "open umbrella"},
}

// wider are words for more than a category.
var wider = map[string]string{
	"airplane": "vehicle", "boat": "vehicle", "car": "vehicle", "bicycle": "vehicle", "rocket": "vehicle",
	"bird": "animal", "cat": "animal", "fish": "animal", "butterfly": "animal", "snail": "animal",
	"flower": "plant", "mushroom": "plant", "tree": "plant",
	"house": "place", "chair": "thing", "cup": "thing", "key": "thing", "umbrella": "thing",
}

// poses are what can be said of a category that is drawn in several ways: by
// category and pose, words that take the place of the noun and words after it.
var poses = map[string]struct{ nouns, after []string }{
	"airplane above": {nil, []string{"from above", "seen from above"}},
	"bird flying":    {[]string{"flying bird"}, []string{"in flight", "in the air"}},
	"bird perched":   {[]string{"perched bird"}, []string{"on its legs", "with a beak"}},
	"cat sitting":    {[]string{"sitting cat"}, []string{"sitting down", "with its tail"}},
	"cat face":       {[]string{"cat face"}, []string{"looking at you", "with whiskers"}},
	"boat sails":     {[]string{"sailing boat", "sailboat", "yacht"}, []string{"with sails", "with a mast"}},
	"boat funnels":   {[]string{"steamer", "steamship", "ferry"}, []string{"with funnels"}},
	"tree conifer":   {[]string{"fir tree", "conifer", "pine tree"}, nil},
	"tree narrow":    {[]string{"tall tree"}, nil},
}

// textureNames are words for what an object's paint shows.
var textureNames = map[texture][]string{
	stripes: {"striped", "stripy"},
	checks:  {"chequered", "checked"},
	dots:    {"dotted", "spotted"},
	grain:   {"speckled", "grainy"},
}

// colourNames are all that colourName says.
var colourNames = []string{
	"black", "grey", "white", "red", "orange", "brown", "yellow", "green", "turquoise", "blue", "purple", "pink",
}

// colourName is what an ordinary person calls a colour.
func colourName(c rgb) string {
	hi, lo := int(max(c.r, c.g, c.b)), int(min(c.r, c.g, c.b))
	sat := 0
	if hi > 0 {
		sat = (hi - lo) * 255 / hi
	}
	switch {
	case hi < 45:
		return "black"
	case sat < 45 && hi > 205:
		return "white"
	case sat < 45:
		return "grey"
	}
	// Hue as hsv counts it, 256 for every sixth of the circle.
	d, r, g, b := hi-lo, int(c.r), int(c.g), int(c.b)
	var h int
	switch hi {
	case r:
		h = ((g-b)*256/d + 1536) % 1536
	case g:
		h = (b-r)*256/d + 512
	default:
		h = (r-g)*256/d + 1024
	}
	switch {
	case h < 60 || h >= 1480:
		if sat < 120 && hi > 180 {
			return "pink"
		}
		return "red"
	case h < 190:
		if hi < 165 {
			return "brown"
		}
		return "orange"
	case h < 300:
		return "yellow"
	case h < 660:
		return "green"
	case h < 810:
		return "turquoise"
	case h < 1085:
		return "blue"
	case h < 1270:
		return "purple"
	}
	return "pink"
}
