package transform_test

import (
	"encoding/json"
	"fmt"
	"image"

	"github.com/winnow-go/winnow/transform"
)

func ExampleConfig() {
	c := transform.Config{Size: 224, CropPct: 0.875, Interpolation: transform.Bicubic}
	text, err := json.Marshal(c)
	fmt.Println(string(text), err)

	x := make([]float32, c.Len()) // [224,224,3]
	err = c.Apply(x, image.NewGray(image.Rect(0, 0, 640, 480)))
	fmt.Printf("%.4f %.4f %.4f %v\n", x[0], x[1], x[2], err)
	// Output:
	// {"size":224,"resize":256,"interpolation":"bicubic","crop":"center","mean":[0.485,0.456,0.406],"std":[0.229,0.224,0.225]} <nil>
	// -2.1179 -2.0357 -1.8044 <nil>
}

func ExampleDecodeBytes() {
	_, err := transform.DecodeBytes([]byte("<html>404</html>"), transform.Limits{})
	fmt.Println(err)
	// Output: transform: not a picture in a known format
}

func ExamplePublished() {
	r, err := transform.Published("convnext_tiny.fb_in22k_ft_in1k")
	fmt.Println(r.Config.Size, r.Config.Resize, r.Config.Interpolation, r.License, err)
	fmt.Println(r.Test.Size, r.Test.Resize)
	// Output:
	// 224 256 bicubic apache-2.0 <nil>
	// 288 288
}

func ExampleReadRecipe() {
	r, err := transform.ReadRecipe([]byte(`{
		"feature_extractor_type": "ConvNextFeatureExtractor",
		"crop_pct": 0.875, "size": 224, "resample": 3,
		"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]
	}`))
	fmt.Println(r.Config.Size, r.Config.Resize, r.Config.Interpolation, r.Config.Crop, err)
	// Output: 224 256 bicubic center <nil>
}
