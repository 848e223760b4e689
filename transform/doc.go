// Package transform turns a picture into the numbers a model was trained on:
// encoded bytes to an image, an image to [H,W,3] float32.
//
// The usual case is two calls:
//
//	img, err := transform.Decode(f, transform.Limits{})
//	err = config.Apply(x, img) // x is [H,W,3] float32, normalised
//
// # Decoding
//
// [Decode] knows JPEG, PNG, GIF (first frame), BMP, TIFF and WebP (still
// pictures) by their content; a file's name does not matter. The size is read
// from the header and held against [Limits] before pixels are allocated, so a
// small file cannot ask for gigabytes. The EXIF orientation is applied.
//
// # Pixels
//
// Everything after decoding works on [RGB]: 8 bits per channel, three
// channels, no alpha. [ToRGB] converts the way Pillow's convert("RGB") does.
// [Resize] is Pillow's 8-bit resampling, so that a picture enters a model with
// the very values its authors' Python code would have made; Go's usual
// resamplers differ from it by up to 20 levels and that costs accuracy.
//
// A [Config] is the preprocessing of one model: resize, crop, mean and standard
// deviation. It travels with the weights as JSON. An [Augment] is what training
// adds before normalising.
//
// # Published weights
//
// Weights that others trained want the pixels that others made. [Published]
// knows the preprocessing of timm's and torchvision's weights by their names,
// [ReadRecipe] reads it from the file beside them, timm's config.json or Hugging
// Face's preprocessor_config.json:
//
//	r, err := transform.Published("convnext_tiny.fb_in22k_ft_in1k")
//	err = r.Config.Apply(x, img) // 224 pixels; r.Test has the 288 of the published accuracy
//
// # Limits
//
// Colour profiles and gamma are ignored, like in the Python pipelines that this
// package follows. Pictures are brought to 8 bits. JPEG differs from Pillow's by up
// to three levels where image/jpeg's inverse DCT rounds otherwise than libjpeg's;
// docs/decisions/jpeg.md has figures.
package transform
