package clip_test

import (
	"bytes"
	"context"
	"fmt"
	"log"

	"github.com/winnow-go/winnow/clip"
	"github.com/winnow-go/winnow/nn"
)

// A folder of Hugging Face's or open_clip's, or a single checkpoint.
func ExampleOpen() {
	ctx := context.Background()
	m, err := clip.Open("clip-vit-base-patch32", clip.Options{})
	if err != nil {
		log.Fatal(err)
	}
	texts, err := m.EncodeTexts(ctx, []string{"a photo of a cat", "a photo of a dog"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(texts) / m.Dim())
}

// A model that travels inside the program, as clip/tiny does, or comes from
// anywhere that is no file.
func ExampleRead() {
	var data []byte // of a file that Save wrote: embedded, downloaded, unpacked
	m, err := clip.Read(bytes.NewReader(data), int64(len(data)), clip.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Dim())
}

// The same shapes, other weights: the tag decides the activation.
func ExamplePreset() {
	for _, tag := range []string{"openai", "laion2b_s34b_b79k"} {
		c, prep, err := clip.Preset("ViT-B-32", tag)
		if err != nil {
			log.Fatal(err)
		}
		m, err := clip.New(c) // without memory for its weights
		if err != nil {
			log.Fatal(err)
		}
		act := c.Vision.Act
		if act == "" {
			act = "gelu"
		}
		fmt.Printf("%s: %d parameters, %d pixels, %s\n", tag, nn.Count(m), prep.Size, act)
	}
	// Output:
	// openai: 151277313 parameters, 224 pixels, quick_gelu
	// laion2b_s34b_b79k: 151277313 parameters, 224 pixels, gelu
}
