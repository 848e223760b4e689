package deps

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestNoticeNamesEveryDependencyAndItsLicence(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	var required []string
	for _, m := range regexp.MustCompile(`(?m)^(?:require\s+|\t)(\S+\.\S+) v\S+`).FindAllStringSubmatch(read("go.mod"), -1) {
		required = append(required, m[1])
	}
	var named []string
	notice := read("NOTICE")
	for _, m := range regexp.MustCompile(`(?m)^  (\S+\.\S+/\S+) +\S`).FindAllStringSubmatch(notice, -1) {
		named = append(named, m[1])
	}
	if len(required) < 10 {
		t.Fatalf("only %d modules found in go.mod: %q", len(required), required)
	}
	for _, m := range required {
		if !slices.Contains(named, m) {
			t.Errorf("NOTICE does not name %s and its licence", m)
		}
	}
	for _, m := range named {
		if !slices.Contains(required, m) {
			t.Errorf("NOTICE names %s, which go.mod does not require", m)
		}
	}
	if !strings.Contains(notice, "commercially profit directly from the package") {
		t.Error("NOTICE does not quote the limit in gorgonia's README")
	}
	if licence := read("LICENSE"); !strings.Contains(licence, "Version 2.0, January 2004") || !strings.Contains(licence, "END OF TERMS AND CONDITIONS") {
		t.Error("LICENSE is not the text of the Apache License 2.0")
	}
}
