package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/winnow-go/winnow/clip"
	"github.com/winnow-go/winnow/dataset/scenes"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/weights"
)

// child tells the test program to be prelabel instead: its arguments, one a
// line.
const child = "PRELABEL_TEST_ARGUMENTS"

func TestMain(m *testing.M) {
	if args := os.Getenv(child); args != "" {
		os.Exit(program(strings.Split(args, "\n"), os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// classes is what the tests' file of classes says.
const classes = `# scenes
boat
cat: cat | kitten
어망: 어망 | a net
!templates: plain | korean
!background: nothing at all
`

// made is a small CLIP with random weights, a file of classes and images.
type made struct{ clip, classes, images, out string }

func makeAll(t testing.TB, n int) made {
	t.Helper()
	dir := t.TempDir()
	m := made{filepath.Join(dir, "clip.safetensors"), filepath.Join(dir, "classes.txt"), filepath.Join(dir, "images"), filepath.Join(dir, "out")}
	model, err := clip.New(clip.Config{
		Embed:  16,
		Vision: &clip.Vision{Kind: clip.ViT, Size: 32, Width: 64, Patch: 8, Layers: 2},
		Text:   &clip.Text{Vocabulary: 600, Context: 77, Width: 64, Layers: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	nn.Initialize(model, 1)
	v, err := clip.TrainVocabulary(slices.Values([]string{"a cat, a boat, a kitten", "a cat, a boat"}), 600)
	if err != nil {
		t.Fatal(err)
	}
	if err := model.SetTokenizer(clip.NewTokenizer(v, clip.TokenizerOptions{})); err != nil {
		t.Fatal(err)
	}
	if err := clip.Save(m.clip, model, nil); err != nil {
		t.Fatal(err)
	}
	put(t, m.classes, []byte(classes))
	drawImages(t, m.images, n)
	return m
}

// drawImages writes n scenes as PNG files.
func drawImages(t testing.TB, dir string, n int) {
	t.Helper()
	set, err := scenes.New(scenes.Options{N: n, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		img, err := set.Image(i)
		if err != nil {
			t.Fatal(err)
		}
		writePNG(t, filepath.Join(dir, fmt.Sprintf("part%d", i%7), fmt.Sprintf("scene %05d.png", i)), img)
	}
}

func writePNG(t testing.TB, path string, img image.Image) {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	put(t, path, b.Bytes())
}

func put(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func (m made) args(more ...string) []string {
	return append([]string{"-clip", m.clip, "-classes", m.classes, "-images", m.images, "-out", m.out, "-sheet", "0"}, more...)
}

func mustRun(t testing.TB, args []string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if status := program(args, &out, &errs); status != 0 {
		t.Fatalf("status %d\n%s%s", status, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// lines are those of labels.jsonl, of which every one must be whole.
func lines(t testing.TB, out string) []line {
	t.Helper()
	var all []line
	data := read(t, filepath.Join(out, "labels.jsonl"))
	end, err := readLabels(bytes.NewReader(data), func(l line) error {
		all = append(all, l)
		return nil
	})
	if err != nil || end != int64(len(data)) {
		t.Fatalf("%d of %d bytes, %v", end, len(data), err)
	}
	return all
}

func TestEveryImageHasOneLineAndAPlace(t *testing.T) {
	m := makeAll(t, 60)
	put(t, filepath.Join(m.images, "notes.txt"), []byte("no picture"))
	put(t, filepath.Join(m.images, ".hidden", "x.png"), nil)
	put(t, filepath.Join(m.images, "part1", "broken.jpg"), []byte("not a JPEG"))
	put(t, filepath.Join(m.images, "part1", "empty.png"), nil)
	put(t, filepath.Join(m.images, "part0", "<한글> & .png"), read(t, filepath.Join(m.images, "part0", "scene 00000.png")))
	put(t, filepath.Join(m.images, "part0", "no ending"), read(t, filepath.Join(m.images, "part0", "scene 00007.png")))
	m.out = filepath.Join(m.images, "out") // is not looked into
	holdout := filepath.Join(t.TempDir(), "holdout.txt")
	put(t, holdout, []byte(filepath.Join(m.images, "part2", "scene 00002.png")+"\npart2/scene 00009.png\nnowhere.png\n"))
	flags := []string{"-threshold", "prob>=0.345", "-threshold", "cat: prob>=0", "-reject", "cosine>=-0.9", "-holdout", holdout, "-sheet", "10"}
	stdout, stderr := mustRun(t, m.args(flags...))
	all := lines(t, m.out)
	if len(all) != 64 {
		t.Fatalf("%d lines", len(all))
	}
	verdicts := map[clip.Verdict]int{}
	seen := map[string]line{}
	for i, l := range all {
		verdicts[l.Verdict]++
		if i > 0 && l.Path <= all[i-1].Path {
			t.Errorf("%s after %s", l.Path, all[i-1].Path)
		}
		seen[l.Path] = l
		if l.Model == "" || l.Prompts == "" || l.Verdict != clip.Unreadable && len(l.SHA256) != 64 {
			t.Errorf("%+v", l)
		}
		if l.Class == "cat" && l.Verdict == clip.Review {
			t.Errorf("a rule of its own keeps every cat: %+v", l)
		}
	}
	for _, name := range []string{"part1/broken.jpg", "part1/empty.png"} {
		if l := seen[name]; l.Verdict != clip.Unreadable || l.Error == "" || l.Class != "" {
			t.Errorf("%+v", l)
		}
		if !strings.Contains(string(read(t, filepath.Join(m.out, "unreadable.txt"))), name+"\t") {
			t.Errorf("%s is not listed", name)
		}
	}
	for _, name := range []string{"part2/scene 00002.png", "part2/scene 00009.png"} {
		if l := seen[name]; l.Verdict != clip.HeldOut || l.Class != "" || l.Prob != nil {
			t.Errorf("%+v", l)
		}
	}
	if a, b := seen["part0/<한글> & .png"], seen["part0/scene 00000.png"]; a.SHA256 != b.SHA256 || *a.Prob != *b.Prob || a.Class == "" {
		t.Errorf("%+v, and a copy of it %+v", a, b)
	}
	if !strings.Contains(stderr, "1 of 3 entries") {
		t.Errorf("nothing is said of an entry without image:\n%s", stderr)
	}

	// Folders: every image with a class once, the least sure first.
	links := 0
	last, lastDir := 0.0, ""
	err := filepath.WalkDir(filepath.Join(m.out, "folders"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == mark {
			return err
		}
		links++
		dir, name := filepath.Split(path)
		parts := strings.SplitN(name, "_", 3) // rank, probability, name
		prob, err := strconv.ParseFloat(parts[1], 64)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if dir != lastDir {
			last, lastDir = 0, dir
		}
		if prob < last {
			t.Errorf("%s comes after %v", name, last)
		}
		last = prob
		data := read(t, path)
		class, verdict := filepath.Base(dir), filepath.Base(filepath.Dir(filepath.Clean(dir)))
		found := false
		for _, l := range seen {
			found = found || l.Class == class && string(l.Verdict) == verdict && bytes.Equal(data, read(t, filepath.Join(m.images, l.Path)))
		}
		if !found {
			t.Errorf("%s is no image with that class and verdict", path)
		}
		return nil
	})
	if err != nil || links != verdicts[clip.Keep]+verdicts[clip.Review]+verdicts[clip.Reject] || links != 60 {
		t.Errorf("%d links, %v, %v", links, verdicts, err)
	}

	var tasks []task
	if err := json.Unmarshal(read(t, filepath.Join(m.out, "tasks.json")), &tasks); err != nil || len(tasks) != 60 {
		t.Fatal(len(tasks), err)
	}
	order := map[clip.Verdict]int{clip.Review: 0, clip.Keep: 1, clip.Reject: 2}
	for i, k := range tasks {
		l, p := seen[k.Data.Path], k.Predictions[0]
		if p.Score != *l.Prob || p.Result[0].Value.Choices[0] != l.Class || k.Data.Verdict != l.Verdict || p.Result[0].Type != "choices" || !strings.HasPrefix(k.Data.Image, "/data/local-files/?d=part") {
			t.Errorf("%+v for %+v", k, l)
		}
		if i > 0 {
			before := tasks[i-1]
			if a, b := order[before.Data.Verdict], order[k.Data.Verdict]; a > b || a == b && before.Predictions[0].Score > p.Score {
				t.Errorf("task %d: %+v after %+v", i, k, before)
			}
		}
	}
	if text := string(read(t, filepath.Join(m.out, "labelstudio.xml"))); !strings.Contains(text, `<Choice value="어망"/>`) {
		t.Error(text)
	}
	var sum summary
	if err := json.Unmarshal(read(t, filepath.Join(m.out, "summary.json")), &sum); err != nil || sum.Images != 64 || !maps.Equal(sum.Verdicts, verdicts) || sum.Ignored != 1 {
		t.Errorf("%+v, %v", sum, err)
	}
	if text := string(read(t, filepath.Join(m.out, "summary.txt"))); text != stdout || !strings.Contains(text, "64 images") {
		t.Errorf("%s\n%s", text, stdout)
	}
	sheets, err := filepath.Glob(filepath.Join(m.out, "sheets", "*.png"))
	if err != nil || len(sheets) == 0 {
		t.Fatal(sheets, err)
	}
	for _, path := range sheets {
		img, err := png.Decode(bytes.NewReader(read(t, path)))
		if err != nil || img.Bounds().Dx() < thumb {
			t.Error(path, err)
		}
	}

	// Nothing is done without -resume, and nothing twice with it.
	if status := program(m.args(flags...), &bytes.Buffer{}, &bytes.Buffer{}); status != 1 {
		t.Errorf("a second run without -resume: status %d", status)
	}
	before := read(t, filepath.Join(m.out, "labels.jsonl"))
	mustRun(t, m.args(append(flags, "-resume")...))
	if !bytes.Equal(before, read(t, filepath.Join(m.out, "labels.jsonl"))) {
		t.Error("-resume changed a finished file")
	}
	// New images come to the end.
	drawImages(t, filepath.Join(m.images, "a new folder"), 3)
	mustRun(t, m.args(append(flags, "-resume")...))
	after := read(t, filepath.Join(m.out, "labels.jsonl"))
	if !bytes.HasPrefix(after, before) || len(lines(t, m.out)) != 67 {
		t.Error("-resume with new images")
	}
	refused := func(what string, args []string) {
		t.Helper()
		var errs bytes.Buffer
		if status := program(args, &bytes.Buffer{}, &errs); status != 1 || !strings.Contains(errs.String(), what) {
			t.Errorf("%s: status %d, %s", what, status, errs.String())
		}
	}
	refused("other thresholds", m.args("-threshold", "0.5", "-holdout", holdout, "-resume"))
	put(t, holdout, []byte("part2/scene 00009.png\n"))
	refused("another hold-out list", m.args(append(flags, "-resume")...))
	put(t, m.classes, []byte("cat\nboat\n"))
	refused("other prompts", m.args(append(flags, "-resume")...))
}

func TestASampleGivesThresholdsAndAReport(t *testing.T) {
	m := makeAll(t, 30)
	sample := filepath.Join(t.TempDir(), "sample")
	for i, class := range []string{"boat", "cat", "어망", clip.NoClass} {
		drawImages(t, filepath.Join(sample, class), 10+i)
	}
	put(t, filepath.Join(sample, "cat", "broken.png"), []byte("x"))
	_, stderr := mustRun(t, m.args("-sample", sample, "-precision", "0.9"))
	// Random weights cannot promise anything, and it says so.
	if !strings.Contains(stderr, "WARNING") || !strings.Contains(stderr, "keep nothing") {
		t.Error(stderr)
	}
	var r clip.Report
	if err := json.Unmarshal(read(t, filepath.Join(m.out, "report.json")), &r); err != nil || r.Pictures != 46 || r.Unreadable != 1 || len(r.Wordings.Rows) == 0 {
		t.Errorf("%+v %v", r, err)
	}
	if text := string(read(t, filepath.Join(m.out, "summary.txt"))); !strings.Contains(text, "WARNING") {
		t.Error(text)
	}
	// The sample need not be there when the run is taken up.
	if err := os.RemoveAll(sample); err != nil {
		t.Fatal(err)
	}
	mustRun(t, m.args("-sample", sample, "-precision", "0.9", "-resume"))
}

func TestOtherDataSetsAreCopiedOut(t *testing.T) {
	m := makeAll(t, 1)
	record := make([]byte, 3073)
	var file []byte
	for i := range 5 {
		for j := range record {
			record[j] = byte(i * j)
		}
		record[0] = byte(i)
		file = append(file, record...)
	}
	m.images = filepath.Join(t.TempDir(), "data_batch_1.bin")
	put(t, m.images, file)
	mustRun(t, m.args("-threshold", "0"))
	if all := lines(t, m.out); len(all) != 5 || all[0].Path != "data_batch_1.bin#0" {
		t.Errorf("%+v", all)
	}
	files, err := filepath.Glob(filepath.Join(m.out, "folders", "*", "*", "*.png"))
	if err != nil || len(files) != 5 {
		t.Error(files, err)
	}
}

func TestWhatCannotWorkIsSaidClearly(t *testing.T) {
	m := makeAll(t, 2)
	other := func(change func(*made)) made {
		c := m
		c.out = filepath.Join(t.TempDir(), "out")
		change(&c)
		return c
	}
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "classes.txt")
		put(t, path, []byte(text))
		return path
	}
	words := filepath.Join(t.TempDir(), "clip.safetensors")
	model, err := clip.Open(m.clip, clip.Options{})
	if err != nil {
		t.Fatal(err)
	}
	bare, err := clip.New(model.Config())
	if err != nil {
		t.Fatal(err)
	}
	nn.Initialize(bare, 1)
	if err := clip.Save(words, bare, nil); err != nil {
		t.Fatal(err)
	}
	shape := filepath.Join(t.TempDir(), "clip.safetensors")
	whole, err := weights.Open(m.clip)
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close()
	meta := whole.Metadata()
	meta["clip.config"] = strings.Replace(meta["clip.config"], `"width":64`, `"width":128`, 1) // of the image tower, which comes first
	if err := weights.Write(shape, whole, meta); err != nil {
		t.Fatal(err)
	}
	same := func(*made) {}
	for _, c := range []struct {
		name string
		m    made
		more []string
		want string // in the message
	}{
		{"no classes", other(func(c *made) { c.classes = file("# none\n") }), nil, "no line names one"},
		{"an empty file of classes", other(func(c *made) { c.classes = file("") }), nil, "no line names one"},
		{"the same prompts", other(func(c *made) { c.classes = file("cat: pet\ndog: pet\n") }), nil, "classes.txt: clip: classes \"cat\" and \"dog\" have the same prompts"},
		{"one name twice", other(func(c *made) { c.classes = file("cat\ncat\n") }), nil, "already on line 1"},
		{"no placeholder", other(func(c *made) { c.classes = file("cat\n!template: a photo\n") }), nil, "no placeholder"},
		{"no vocabulary", other(func(c *made) { c.clip = words }), nil, "-vocabulary names one"},
		{"a tower of the wrong shape", other(func(c *made) { c.clip = shape }), nil, "visual.class_embedding is [64], the model wants [128]"},
		{"no model", other(func(c *made) { c.clip += "x" }), nil, "no such file"},
		{"no images", other(func(c *made) { c.images = t.TempDir() }), nil, "no pictures"},
		{"no such images", other(func(c *made) { c.images += "x" }), nil, "-images"},
		{"threshold", other(same), []string{"-threshold", "luck>=1"}, "luck"},
		{"threshold for no class", other(same), []string{"-threshold", "dog: 0.5"}, "dog"},
		{"reject", other(same), []string{"-reject", "x"}, "-reject"},
		{"holdout", other(same), []string{"-holdout", "nowhere.txt"}, "-holdout"},
		{"empty holdout", other(same), []string{"-holdout", file("# nothing\n")}, "lists nothing"},
		{"sample", other(same), []string{"-sample", "nowhere"}, "-sample"},
	} {
		var errs bytes.Buffer
		if status := program(c.m.args(c.more...), &bytes.Buffer{}, &errs); status != 1 || !strings.Contains(errs.String(), c.want) {
			t.Errorf("%s: status %d, %s", c.name, status, errs.String())
		}
	}
	for _, args := range [][]string{nil, {"-clip", "x"}, other(same).args("-files", "move"), other(same).args("-batch", "-1"), other(same).args("more"), {"-what"}} {
		if status := program(args, &bytes.Buffer{}, &bytes.Buffer{}); status != 2 {
			t.Errorf("%q: status %d", args, status)
		}
	}
}

func TestTornLinesAreWrittenAnew(t *testing.T) {
	m := makeAll(t, 40)
	mustRun(t, m.args("-threshold", "0.4", "-batch", "4"))
	labels := filepath.Join(m.out, "labels.jsonl")
	want := read(t, labels)
	for cut := 0; cut <= len(want); cut += 1 + len(want)/17 {
		put(t, labels, append(bytes.Clone(want[:cut]), make([]byte, cut%3)...)) // zeros, as after a power cut
		mustRun(t, m.args("-threshold", "0.4", "-batch", "4", "-resume", "-files", "none", "-cache", "none"))
		if !bytes.Equal(want, read(t, labels)) {
			t.Errorf("cut at %d of %d bytes: not the same in the end", cut, len(want))
		}
	}
	first := want[:bytes.IndexByte(want, '\n')+1]
	for name, data := range map[string][]byte{
		"twice":     append(bytes.Clone(first), want...),
		"no JSON":   append([]byte("{\n"), want...),
		"no label":  append([]byte("{\"path\":\"x\"}\n"), want...),
		"long line": append(bytes.Repeat([]byte("x"), maxLine+10), '\n'),
	} {
		put(t, labels, data)
		var errs bytes.Buffer
		if status := program(m.args("-threshold", "0.4", "-resume"), &bytes.Buffer{}, &errs); status != 1 || !strings.Contains(errs.String(), "line ") {
			t.Errorf("%s: status %d, %s", name, status, errs.String())
		}
		if !bytes.Equal(data, read(t, labels)) {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

func TestAnInterruptedRunGoesOn(t *testing.T) {
	m := makeAll(t, 150)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	flags := []string{"-threshold", "0.4", "-batch", "8", "-cache", "none"}
	o, err := parse(m.args(flags...), &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	labels := filepath.Join(m.out, "labels.jsonl")
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(200 * time.Microsecond):
			}
			if info, err := os.Stat(labels); err == nil && info.Size() > 0 {
				cancel()
				return
			}
		}
	}()
	var out bytes.Buffer
	err = prelabel(ctx, o, &out, &out)
	close(stop)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if n := len(lines(t, m.out)); n == 0 || n > 150 {
		t.Errorf("%d lines after the interruption", n)
	}
	_, stderr := mustRun(t, m.args(append(flags, "-resume")...))
	if all := lines(t, m.out); len(all) != 150 || !strings.Contains(stderr, "of 150 images are done") {
		t.Errorf("%d lines\n%s", len(all), stderr)
	}
}

func TestFoldersOfOthersAreLeftAlone(t *testing.T) {
	m := makeAll(t, 3)
	put(t, filepath.Join(m.out, "folders", "precious.txt"), []byte("x"))
	var errs bytes.Buffer
	if status := program(m.args(), &bytes.Buffer{}, &errs); status != 1 || !strings.Contains(errs.String(), "not made by this program") {
		t.Errorf("status %d, %s", status, errs.String())
	}
	read(t, filepath.Join(m.out, "folders", "precious.txt"))
}

func TestPathsAreEscapedForPathAndQuery(t *testing.T) {
	const name = "a b/한+&=;#?%/x.png"
	text := escapePath(name)
	if query, err := url.ParseQuery("d=" + text); err != nil || query.Get("d") != name {
		t.Errorf("as a query, %s is %q, %v", text, query.Get("d"), err)
	}
	if u, err := url.Parse("https://host/" + text); err != nil || u.Path != "/"+name {
		t.Errorf("as a path, %s is %v, %v", text, u, err)
	}
}

func TestNamesOfFilesAreSafe(t *testing.T) {
	got := fileNames([]string{"cat", "Cat", "a/b", `a\b`, "..", "", "어망", "x:y\n", strings.Repeat("길", 100), "end. "})
	seen := map[string]bool{}
	for _, name := range got {
		if name == "" || name[0] == '.' || strings.ContainsAny(name, `/\:`+"\n") || len(name) > 90 || seen[strings.ToLower(name)] || strings.ToValidUTF8(name, "") != name || strings.HasSuffix(name, " ") {
			t.Errorf("%q among %q", name, got)
		}
		seen[strings.ToLower(name)] = true
	}
	if got[6] != "어망" {
		t.Error(got)
	}
}
