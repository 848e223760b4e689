package main

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/winnow-go/winnow"
	"github.com/winnow-go/winnow/label"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/ood"
	"github.com/winnow-go/winnow/resnet"
	"github.com/winnow-go/winnow/transform"
)

// model writes an untrained model of three classes that refuses everything.
func model(t *testing.T, dir string) string {
	t.Helper()
	m := resnet.CIFAR8(3)
	nn.Initialize(m, 1)
	c, err := winnow.New(m, nil, winnow.Info{
		Classes: label.Classes{"a", "b", "c"}, Transform: transform.Native(16), Decision: &ood.Decision{Threshold: 1.1},
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "model.safetensors")
	if err := c.Save(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestClassifyListsEveryFile(t *testing.T) {
	dir := t.TempDir()
	path := model(t, dir)
	var img bytes.Buffer
	if err := png.Encode(&img, image.NewRGBA(image.Rect(0, 0, 20, 30))); err != nil {
		t.Fatal(err)
	}
	good, bad, absent := filepath.Join(dir, "good.png"), filepath.Join(dir, "bad.png"), filepath.Join(dir, "absent.png")
	if err := os.WriteFile(good, img.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bad, img.Bytes()[:30], 0o644); err != nil {
		t.Fatal(err)
	}
	files := []string{good, bad, absent, good}
	var out bytes.Buffer
	n, err := classify(context.Background(), winnow.Options{}, path, files, func(r winnow.Result) error { return line(&out, r, 2) })
	if err != nil || n != 2 {
		t.Fatalf("%d bad files, %v", n, err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 4 {
		t.Fatalf("%d lines:\n%s", len(lines), out.String())
	}
	for i, text := range lines {
		var o object
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			t.Fatal(err)
		}
		if o.File != files[i] {
			t.Errorf("line %d is about %s", i, o.File)
		}
		if i == 1 || i == 2 {
			if o.Error == "" || !strings.Contains(o.Error, files[i]) || o.Class != "" {
				t.Errorf("line %d: %s", i, text)
			}
			continue
		}
		if o.Class == "" || o.Prob == nil || *o.Prob <= 0 || o.Known == nil || *o.Known || len(o.Top) != 2 || o.Top[0].Class != o.Class {
			t.Errorf("line %d: %s", i, text)
		}
	}
	out.Reset()
	if _, err := classify(context.Background(), winnow.Options{}, path, files[:1], func(r winnow.Result) error { return text(&out, r, 3) }); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "unknown") || strings.Count(out.String(), "%") != 3 {
		t.Errorf("text output:\n%s", out.String())
	}
	if _, err := classify(context.Background(), winnow.Options{}, absent, files, nil); err == nil {
		t.Error("an absent model: no error")
	}
}
