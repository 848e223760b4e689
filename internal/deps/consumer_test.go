package deps

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// program is what somebody writes who has only the module: it goes through
// gorgonia.org/tensor, which at start looks for a promise about Go's memory
// (go4.org/unsafe/assume-no-moving-gc) that old versions give for old releases
// of Go only, and panics without it.
const program = `package main

import (
	"bytes"
	"fmt"
	"os"

	"gorgonia.org/tensor"

	"github.com/winnow-go/winnow/weights"
)

func main() {
	m := weights.NewMap()
	m.Set("bias", tensor.New(tensor.WithShape(3), tensor.WithBacking([]float32{1, 2, 3})))
	var b bytes.Buffer
	if err := weights.WriteTo(&b, m, map[string]string{"by": "consumer"}); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	f, err := weights.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	t, err := f.Tensor("bias")
	fmt.Println(f.Names(), f.Metadata()["by"], t.Data(), err)
}
`

func TestConsumerModuleBuildsAndStarts(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command; it comes with Go")
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  "module example.com/consumer\n\ngo 1.26.0\n\nrequire " + module + " v0.0.0\n\nreplace " + module + " => " + strconv.Quote(filepath.ToSlash(root)) + "\n",
		"go.sum":  string(sums),
		"main.go": program,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	binary := filepath.Join(dir, "consumer.exe")
	run := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Dir = dir
		// Nobody sets ASSUME_NO_MOVING_GC_UNSAFE_RISK_IT_WITH for a program
		// that he only wants to start.
		for _, v := range os.Environ() {
			if !strings.HasPrefix(v, "ASSUME_NO_MOVING_GC") {
				cmd.Env = append(cmd.Env, v)
			}
		}
		cmd.Env = append(cmd.Env, "GOFLAGS=", "GOWORK=off", "PWD="+dir)
		var out, log bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &log
		if err := cmd.Run(); err != nil {
			t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out.String(), log.String())
		}
		return out.String()
	}
	run("go", "build", "-mod=mod", "-buildvcs=false", "-o", binary, ".")
	if got, want := run(binary), "[bias] consumer [1 2 3] <nil>\n"; got != want {
		t.Errorf("the program prints %q, want %q", got, want)
	}
	const promise = "go4.org/unsafe/assume-no-moving-gc v0.0.0-20231121144256-b99613f794b6"
	if got := strings.TrimSpace(run("go", "list", "-mod=mod", "-m", "go4.org/unsafe/assume-no-moving-gc")); got != promise {
		t.Errorf("a consumer gets %q, want %q", got, promise)
	}
}
