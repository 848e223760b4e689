package clip

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Placeholder stands in a template for what a class is called.
const Placeholder = "{}"

// ErrPrompt is wrapped by errors about templates, classes and background
// prompts that cannot be used.
var ErrPrompt = errors.New("unusable prompt")

// Template sets: sentences in which [Placeholder] is what a class is called.
// They were written for winnow. An ensemble of several is steadier than any one
// of them; [Sample.Wordings] says which of them help on pictures of one's own.
// The slices must not be changed.
var (
	// Templates are English sentences about photographs: at different
	// distances, from different angles, good and bad.
	Templates = []string{
		"a photo of a {}.",
		"a picture showing a {}.",
		"a close-up photo of a {}.",
		"a {} seen from a distance.",
		"a blurry, badly lit photo of a {}.",
		"a sharp, bright photo of a {}.",
		"a photo of a {} partly hidden behind something.",
		"a small {} in a large scene.",
	}
	// TemplatesDrawn are English sentences about pictures that are no
	// photographs.
	TemplatesDrawn = []string{
		"a drawing of a {}.",
		"a painting of a {}.",
		"a sketch of a {} in ink.",
		"a simple cartoon of a {}.",
		"a computer graphic of a {}.",
		"an icon of a {}.",
	}
	// TemplatesKorean are Korean sentences about photographs, with no particle
	// whose form would depend on the word before it. They are for multilingual
	// models: OpenAI's have hardly seen Korean, and break it into bytes.
	TemplatesKorean = []string{
		"{} 사진.",
		"{} 한 장면을 찍은 사진.",
		"가까이에서 찍은 {} 사진.",
		"멀리서 찍은 {} 사진.",
		"흐리고 어두운 {} 사진.",
		"선명하고 밝은 {} 사진.",
		"일부가 가려진 {} 사진.",
	}
	// TemplatePlain is the words of the class and nothing else.
	TemplatePlain = []string{"{}"}
)

// fill puts words where the placeholder is.
func fill(template, words string) string {
	return strings.ReplaceAll(template, Placeholder, words)
}

// checkText refuses what is no text.
func checkText(what, text string) error {
	switch {
	case strings.TrimSpace(text) == "":
		return fmt.Errorf("clip: %s is empty: %w", what, ErrPrompt)
	case !utf8.ValidString(text):
		return fmt.Errorf("clip: %s, %q, is not valid UTF-8: %w", what, text, ErrPrompt)
	}
	return nil
}

func checkTemplates(templates []string) error {
	at := map[string]int{}
	for i, t := range templates {
		if err := checkText(fmt.Sprintf("template %d", i), t); err != nil {
			return err
		}
		if !strings.Contains(t, Placeholder) {
			return fmt.Errorf("clip: template %d, %q, has no placeholder %s: %w", i, t, Placeholder, ErrPrompt)
		}
		if j, twice := at[t]; twice {
			return fmt.Errorf("clip: templates %d and %d are both %q: %w", j, i, t, ErrPrompt)
		}
		at[t] = i
	}
	return nil
}
