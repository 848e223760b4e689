// Bench compares winnow with its peers on the machine at hand and prints
// Markdown tables: forward passes beside ONNX Runtime, training steps beside
// PyTorch, two threads beside one, the multiplication kernel beside the
// processor's peak, the portable one beside gonum's.
//
//	go run -C bench . -peers DIR -torch PATH/torch_bench.py > table.md
//
// DIR holds ort_bench.js, NAME.onnx and node_modules with onnxruntime-node. The
// programs run in turn, never at once, several rounds; minima are compared,
// because other load on the machine only ever adds time. The spread is that of
// the rounds' ratios.
package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

type options struct {
	peers, torch, python string
	rounds, runs         int
	threads, batches     []int
	models, towers       []string
	tables               []string
}

func main() {
	var o options
	var threads, batches, models, towers, which string
	flag.StringVar(&o.peers, "peers", "", "folder with ort_bench.js and the .onnx files")
	flag.StringVar(&o.torch, "torch", "", "torch_bench.py; empty leaves training out")
	flag.StringVar(&o.python, "python", "/usr/bin/python3", "interpreter that has torch and torchvision")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of alternation")
	flag.IntVar(&o.runs, "runs", 10, "timed forward passes in a round; training steps are a third of it")
	flag.StringVar(&threads, "threads", "1", "threads, comma-separated")
	flag.StringVar(&batches, "batches", "1,8", "images in a forward pass, comma-separated")
	flag.StringVar(&models, "models", "resnet18,resnet50,convnext_tiny", "models, comma-separated")
	flag.StringVar(&towers, "towers", "vit_b_32", "models of which only forward passes are compared")
	flag.StringVar(&which, "tables", strings.Join(tables, ","), "what to measure, comma-separated")
	flag.Parse()
	o.threads, o.batches = numbers("threads", threads), numbers("batches", batches)
	o.models = strings.Split(models, ",")
	if towers != "" {
		o.towers = strings.Split(towers, ",")
	}
	o.tables = strings.Split(which, ",")
	for _, name := range o.tables {
		if !slices.Contains(tables, name) {
			fatal(fmt.Errorf("no table %q; there are %v", name, tables))
		}
	}
	if o.peers == "" || o.rounds < 1 || o.runs < 3 {
		fatal(errors.New("-peers is wanted, at least one round and three runs"))
	}
	if err := run(o); err != nil {
		fatal(err)
	}
}

func numbers(name, list string) (ns []int) {
	for _, s := range strings.Split(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || n < 1 {
			fatal(fmt.Errorf("%s %q", name, list))
		}
		ns = append(ns, n)
	}
	return ns
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}

// line is what examples/speed and the peers' scripts print.
type line struct {
	Load   float64 `json:"load_ms"`
	First  float64 `json:"first_ms"`
	Min    float64 `json:"min_ms"`
	GFLOPS float64 `json:"gflops"`
	GCStop float64 `json:"gc_stop_p99_ms"`
	RSS    float64 `json:"peak_rss_mb"`
}

func run(o options) error {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	speed := filepath.Join(dir, "speed")
	if err := build(speed); err != nil {
		return err
	}
	fmt.Printf("CPU: %s, %d cores, %s. Minima of %d rounds in turn; ratios below 1 are in winnow's favour.\n\n", cpu(), runtime.NumCPU(), runtime.Version(), o.rounds)
	for _, name := range o.tables {
		if err := o.table(name, speed, dir); err != nil {
			return err
		}
	}
	return nil
}

// tables are what can be measured, in the order of the output.
var tables = []string{"kernels", "forward", "training", "scaling", "opening", "stopping", "purego"}

func (o options) table(name, speed, dir string) error {
	switch name {
	case "kernels":
		return kernels()
	case "forward":
		for _, t := range o.threads {
			for _, b := range o.batches {
				if err := forward(o, speed, t, b); err != nil {
					return err
				}
			}
		}
	case "training":
		if o.torch == "" {
			return nil
		}
		for _, t := range o.threads {
			if err := training(o, speed, t); err != nil {
				return err
			}
		}
	case "scaling":
		return scaling(o, speed)
	case "opening":
		return opening(o, speed, dir)
	case "stopping":
		return stopping(o, speed)
	case "purego":
		return pure(o, speed, dir)
	}
	return nil
}

func build(to string, flags ...string) error {
	args := append([]string{"build"}, flags...)
	return command("..", nil, "go", append(args, "-o", to, "./examples/speed")...)
}

// pairs is the rounds of two programs.
type pairs struct{ ours, theirs []line }

func (p *pairs) min() (ours, theirs line) {
	by := func(a, b line) int { return int(1e6 * (a.Min - b.Min)) }
	return slices.MinFunc(p.ours, by), slices.MinFunc(p.theirs, by)
}

// spread is the smallest and the largest ratio of a round.
func (p *pairs) spread() (lo, hi float64) {
	for i := range p.ours {
		r := p.ours[i].Min / p.theirs[i].Min
		if i == 0 {
			lo, hi = r, r
		}
		lo, hi = min(lo, r), max(hi, r)
	}
	return lo, hi
}

func (p *pairs) row(name string) {
	a, b := p.min()
	lo, hi := p.spread()
	fmt.Printf("| %s | %.1f | %.1f | **%.2f** | %.2f-%.2f | %.1f | %.0f | %.0f |\n", name, a.Min, b.Min, a.Min/b.Min, lo, hi, a.GFLOPS, a.RSS, b.RSS)
}

func forward(o options, speed string, threads, batch int) error {
	fmt.Printf("Forward, batch %d, 224 px, %d thread(s), milliseconds:\n\n", batch, threads)
	fmt.Println("| model | winnow | ONNX Runtime | ratio | spread | GFLOP/s | MB | their MB |\n|---|---|---|---|---|---|---|---|")
	for _, m := range append(slices.Clone(o.models), o.towers...) {
		var p pairs
		for range o.rounds {
			if err := measure(&p.ours, "..", nil, speed, "-model", m, "-batch", fmt.Sprint(batch), "-threads", fmt.Sprint(threads), "-runs", fmt.Sprint(o.runs)); err != nil {
				return err
			}
			if err := measure(&p.theirs, o.peers, nil, "node", "ort_bench.js", m+".onnx", fmt.Sprint(batch), fmt.Sprint(threads), fmt.Sprint(o.runs)); err != nil {
				return err
			}
		}
		p.row(m)
	}
	fmt.Println()
	return nil
}

func training(o options, speed string, threads int) error {
	fmt.Printf("Training step, batch 8, 224 px, AdamW, %d thread(s), milliseconds:\n\n", threads)
	fmt.Println("| model | winnow | PyTorch | ratio | spread | GFLOP/s | MB | their MB |\n|---|---|---|---|---|---|---|---|")
	runs := fmt.Sprint(max(o.runs/3, 2))
	env := []string{"OPENBLAS_NUM_THREADS=" + fmt.Sprint(threads)}
	if features() == avx512 { // else Debian's OpenBLAS takes twice as long
		env = append(env, "OPENBLAS_CORETYPE=SkylakeX")
	}
	for _, m := range o.models {
		var p pairs
		for range o.rounds {
			if err := measure(&p.ours, "..", nil, speed, "-model", m, "-mode", "train", "-batch", "8", "-threads", fmt.Sprint(threads), "-runs", runs); err != nil {
				return err
			}
			if err := measure(&p.theirs, o.peers, env, o.python, o.torch, m, "8", "224", fmt.Sprint(threads), runs); err != nil {
				return err
			}
		}
		p.row(m)
	}
	fmt.Println()
	return nil
}

// scaling compares two threads with one.
func scaling(o options, speed string) error {
	if runtime.NumCPU() < 2 {
		return nil
	}
	fmt.Println("Two threads against one, milliseconds:\n\n| model | work | 1 thread | 2 threads | times as fast | spread |\n|---|---|---|---|---|---|")
	for _, m := range o.models {
		for _, mode := range []string{"forward", "train"} {
			batch, runs := "1", o.runs
			if mode == "train" {
				batch, runs = "8", max(o.runs/3, 2)
			}
			var p pairs
			for range o.rounds {
				for threads, to := range map[string]*[]line{"1": &p.ours, "2": &p.theirs} {
					if err := measure(to, "..", nil, speed, "-model", m, "-mode", mode, "-batch", batch, "-threads", threads, "-runs", fmt.Sprint(runs)); err != nil {
						return err
					}
				}
			}
			one, two := p.min()
			lo, hi := p.spread()
			fmt.Printf("| %s | %s, batch %s | %.1f | %.1f | **%.2f** | %.2f-%.2f |\n", m, mode, batch, one.Min, two.Min, one.Min/two.Min, lo, hi)
		}
	}
	fmt.Println()
	return nil
}

// opening compares the time from a file to the first prediction.
func opening(o options, speed, dir string) error {
	fmt.Println("From the file to the first prediction, one thread, milliseconds (load + first):\n\n| model | winnow | ONNX Runtime | ratio |\n|---|---|---|---|")
	for _, m := range o.models {
		file := filepath.Join(dir, m+".safetensors")
		var saved, ours, theirs []line
		if err := measure(&saved, "..", nil, speed, "-model", m, "-runs", "1", "-save", file); err != nil {
			return err
		}
		for range o.rounds {
			if err := measure(&ours, "..", nil, speed, "-model", m, "-runs", "1", "-weights", file); err != nil {
				return err
			}
			if err := measure(&theirs, o.peers, nil, "node", "ort_bench.js", m+".onnx", "1", "1", "1"); err != nil {
				return err
			}
		}
		sum := func(ls []line) float64 {
			best := ls[0].Load + ls[0].First
			for _, l := range ls {
				best = min(best, l.Load+l.First)
			}
			return best
		}
		fmt.Printf("| %s | %.0f | %.0f | **%.2f** |\n", m, sum(ours), sum(theirs), sum(ours)/sum(theirs))
	}
	fmt.Println()
	return nil
}

// stopping measures how long garbage collections wait for kernels.
func stopping(o options, speed string) error {
	fmt.Println("Until all goroutines have stopped for a garbage collection while every core infers, 99th percentile of 200:\n\n| model | ms |\n|---|---|")
	for _, m := range o.models {
		var all []line
		for range o.rounds {
			if err := measure(&all, "..", nil, speed, "-model", m, "-gc", "200"); err != nil {
				return err
			}
		}
		best := slices.MinFunc(all, func(a, b line) int { return cmp.Compare(a.GCStop, b.GCStop) })
		fmt.Printf("| %s | %.2f |\n", m, best.GCStop)
	}
	fmt.Println()
	return nil
}

// pure measures a build without assembly.
func pure(o options, speed, dir string) error {
	slow := filepath.Join(dir, "speed-purego")
	if err := build(slow, "-tags", "purego"); err != nil {
		return err
	}
	fmt.Println("Without assembly (-tags purego), forward, batch 1, one thread, milliseconds:\n\n| model | assembly | purego |\n|---|---|---|")
	for _, m := range o.models {
		var fast, plain []line
		if err := measure(&fast, "..", nil, speed, "-model", m, "-runs", "3"); err != nil {
			return err
		}
		if err := measure(&plain, "..", nil, slow, "-model", m, "-runs", "1"); err != nil {
			return err
		}
		fmt.Printf("| %s | %.0f | %.0f |\n", m, fast[0].Min, plain[0].Min)
	}
	var ours, theirs float64
	for range o.rounds {
		of, err := benchmarks("Mul/shape=768x768x768/impl=generic", "-tags", "purego")
		if err != nil {
			return err
		}
		for _, v := range of {
			ours = max(ours, v.gflops)
		}
		c := exec.Command("go", "run", "-tags", "noasm", "./sgemm")
		c.Env, c.Stderr = append(os.Environ(), "GOMAXPROCS=1"), os.Stderr
		out, err := c.Output()
		if err != nil {
			return fmt.Errorf("gonum: %w", err)
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
		if err != nil {
			return fmt.Errorf("gonum: %w", err)
		}
		theirs = max(theirs, v)
	}
	fmt.Printf("\nWithout assembly, 768x768x768: %.2f GFLOP/s, gonum's Sgemm (-tags noasm) %.2f: **%.2f** times as fast.\n\n", ours, theirs, ours/theirs)
	return nil
}

var result = regexp.MustCompile(`Benchmark(\S+?)(?:-\d+)?\s+\d+\s.*?([\d.]+) GFLOP/s`)

type benchmark struct {
	name   string
	runs   []float64
	gflops float64
}

// benchmarks runs Go benchmarks of the matrix product and returns the median of
// several runs of each.
func benchmarks(pattern string, flags ...string) ([]benchmark, error) {
	args := append([]string{"test", "./internal/kernel/gemm", "-run", "^$", "-bench", pattern, "-benchtime", "200ms", "-count", "5"}, flags...)
	c := exec.Command("go", args...)
	c.Dir, c.Stderr = "..", os.Stderr
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("kernel benchmarks: %w", err)
	}
	var all []benchmark
	for _, m := range result.FindAllStringSubmatch(string(out), -1) {
		v, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(all, func(b benchmark) bool { return b.name == m[1] })
		if i < 0 {
			i, all = len(all), append(all, benchmark{name: m[1]})
		}
		all[i].runs = append(all[i].runs, v)
	}
	for i := range all {
		slices.Sort(all[i].runs)
		all[i].gflops = all[i].runs[len(all[i].runs)/2]
	}
	return all, nil
}

// kernels prints the matrix product's speed by variant, beside the peak of the
// processor's multiply-add units.
func kernels() error {
	all, err := benchmarks("Peak|Mul/")
	if err != nil {
		return err
	}
	peaks, speeds := map[string]float64{}, map[string]map[string]float64{}
	var shapes, variants []string
	for _, b := range all {
		name, impl, _ := strings.Cut(b.name, "/impl=")
		if name == "Peak" {
			peaks[impl] = b.gflops
			continue
		}
		shape := strings.TrimPrefix(name, "Mul/shape=")
		if speeds[shape] == nil {
			speeds[shape] = map[string]float64{}
			shapes = append(shapes, shape)
		}
		if !slices.Contains(variants, impl) {
			variants = append(variants, impl)
		}
		speeds[shape][impl] = b.gflops
	}
	fmt.Print("Matrix product M x K x N, weights prepacked, one thread, GFLOP/s and their share of the ceiling (multiply-adds on registers alone):\n\n| shape |")
	for _, v := range variants {
		fmt.Printf(" %s |", v)
	}
	fmt.Print("\n|---|", strings.Repeat("---|", len(variants)), "\n")
	for _, s := range shapes {
		fmt.Printf("| %s |", s)
		for _, v := range variants {
			fmt.Printf(" %.1f", speeds[s][v])
			if peaks[v] > 0 {
				fmt.Printf(" (%.0f %%)", 100*speeds[s][v]/peaks[v])
			}
			fmt.Print(" |")
		}
		fmt.Println()
	}
	fmt.Print("| ceiling |")
	for _, v := range variants {
		if peaks[v] == 0 {
			fmt.Print(" - |")
			continue
		}
		fmt.Printf(" %.1f |", peaks[v])
	}
	fmt.Print("\n\n")
	return nil
}

// measure runs a program in dir and appends the line that it prints.
func measure(to *[]line, dir string, env []string, name string, args ...string) error {
	c := exec.Command(name, args...)
	c.Dir, c.Stderr = dir, os.Stderr
	c.Env = append(os.Environ(), env...)
	out, err := c.Output()
	if err != nil {
		return fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	var l line
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &l); err != nil {
		return fmt.Errorf("%s %s printed %q: %w", name, strings.Join(args, " "), out, err)
	}
	*to = append(*to, l)
	return nil
}

func command(dir string, env []string, name string, args ...string) error {
	c := exec.Command(name, args...)
	c.Dir, c.Stdout, c.Stderr = dir, os.Stderr, os.Stderr
	c.Env = append(os.Environ(), env...)
	return c.Run()
}

const avx512 = "AVX-512"

func features() string {
	if strings.Contains(field("flags"), "avx512f") {
		return avx512
	}
	return "AVX2"
}

// cpu is the processor's name, as Linux tells it.
func cpu() string {
	return fmt.Sprintf("%s (family %s, model %s, %s)", field("model name"), field("cpu family"), field("model"), features())
}

// field is an entry of /proc/cpuinfo.
func field(key string) string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "?"
	}
	for l := range strings.Lines(string(text)) {
		if k, v, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return "?"
}
