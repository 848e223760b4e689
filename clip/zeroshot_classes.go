package clip

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/winnow-go/winnow/label"
)

// Prompts is what a file of classes says.
type Prompts struct {
	Classes    []Class
	Templates  []string // none: those of NewZeroShot
	Background []string
}

// maxPromptsBytes bounds a file of classes: 10,000 classes of 400 bytes.
const maxPromptsBytes = 4 << 20

// ReadPrompts reads classes, templates and background prompts from UTF-8 text,
// a line each:
//
//	# what lies on our beach
//	crab
//	bottle: plastic bottle | glass bottle | PET bottle
//	어망: 어망 | 버려진 그물 | a tangled {} on sand
//	!template: a photo of a {} on a beach.
//	!templates: english
//	!background: an empty beach | the sea
//
// A line is a class: its name and, after a colon, its phrases with bars between
// them (see [Class]; without any the name is the phrase). A name that has a
// colon in it cannot be written. Lines that begin with ! add whole templates,
// sets of them (english, drawn, korean, plain) or background prompts. Empty
// lines and lines that begin with # are passed over; spaces around names and
// phrases are not part of them, a byte order mark and carriage returns neither.
//
// An error has the number of the line: it wraps label.ErrClasses if there are
// no classes, a name is empty or there twice, and ErrPrompt for a phrase that
// is empty, a template without a placeholder, an unknown word after ! and bytes
// that are not UTF-8.
func ReadPrompts(r io.Reader) (Prompts, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxPromptsBytes+1))
	if err != nil {
		return Prompts{}, fmt.Errorf("clip: reading classes: %w", err)
	}
	if len(data) > maxPromptsBytes {
		return Prompts{}, fmt.Errorf("clip: reading classes: more than %d bytes", maxPromptsBytes)
	}
	var p Prompts
	at := map[string]int{}
	lines := bufio.NewScanner(bytes.NewReader(bytes.TrimPrefix(data, []byte("\uFEFF"))))
	lines.Buffer(nil, maxPromptsBytes+1)
	n := 0
	for lines.Scan() {
		n++
		if err := p.line(lines.Text(), n, at); err != nil {
			return Prompts{}, fmt.Errorf("clip: reading classes: line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return Prompts{}, fmt.Errorf("clip: reading classes: line %d: %w", n+1, err)
	}
	if len(p.Classes) == 0 {
		return Prompts{}, fmt.Errorf("clip: reading classes: %w: no line names one", label.ErrClasses)
	}
	return p, nil
}

func (p *Prompts) line(line string, n int, at map[string]int) error {
	if !utf8.ValidString(line) {
		return fmt.Errorf("not valid UTF-8: %w", ErrPrompt)
	}
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' {
		return nil
	}
	name, rest, colon := strings.Cut(line, ":")
	name = strings.TrimSpace(name)
	var phrases []string
	if colon {
		for _, phrase := range strings.Split(rest, "|") {
			phrase = strings.TrimSpace(phrase)
			if phrase == "" {
				return fmt.Errorf("%q has an empty phrase: %w", name, ErrPrompt)
			}
			phrases = append(phrases, phrase)
		}
	}
	if !strings.HasPrefix(name, "!") {
		if name == "" {
			return fmt.Errorf("%w: a class without a name", label.ErrClasses)
		}
		if first, twice := at[name]; twice {
			return fmt.Errorf("%w: class %q is already on line %d", label.ErrClasses, name, first)
		}
		at[name] = n
		p.Classes = append(p.Classes, Class{name, phrases})
		return nil
	}
	if len(phrases) == 0 {
		return fmt.Errorf("nothing after %q: %w", name, ErrPrompt)
	}
	switch word := strings.TrimSpace(name[1:]); word {
	case "background":
		p.Background = append(p.Background, phrases...)
	case "template":
		for _, t := range phrases {
			if !strings.Contains(t, Placeholder) {
				return fmt.Errorf("template %q has no placeholder %s: %w", t, Placeholder, ErrPrompt)
			}
		}
		p.Templates = append(p.Templates, phrases...)
	case "templates":
		for _, set := range phrases {
			t, err := TemplateSet(set)
			if err != nil {
				return err
			}
			p.Templates = append(p.Templates, t...)
		}
	default:
		return fmt.Errorf("%q is none of !template, !templates, !background: %w", name, ErrPrompt)
	}
	return nil
}

var errTemplateSet = errors.New("the sets are english, drawn, korean and plain")

// TemplateSet returns a set of templates by its name in a file of classes:
// english, drawn, korean, plain.
func TemplateSet(name string) ([]string, error) {
	switch name {
	case "english":
		return Templates, nil
	case "drawn":
		return TemplatesDrawn, nil
	case "korean":
		return TemplatesKorean, nil
	case "plain":
		return TemplatePlain, nil
	}
	return nil, fmt.Errorf("no template set %q: %w: %w", name, errTemplateSet, ErrPrompt)
}
