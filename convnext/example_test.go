package convnext_test

import (
	"fmt"

	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/nn"
)

func ExamplePreset() {
	cfg, err := convnext.Preset("convnextv2_atto", 10)
	if err != nil {
		fmt.Println(err)
		return
	}
	cfg.DropPath = 0.1
	m, err := convnext.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(nn.Count(m), "parameters")
	// Output: 3390610 parameters
}

func ExampleModel_Walk() {
	m := convnext.Mini(10)
	tape := nn.NewTape(nn.Inference, nil)
	m.Walk(tape, tape.Describe(1, 32, 32, 3), func(name string, y *nn.Tensor) {
		fmt.Println(name, y.Shape())
	})
	// Output:
	// stem [1 16 16 32]
	// stages.0 [1 16 16 32]
	// stages.1.downsample [1 8 8 64]
	// stages.1 [1 8 8 64]
	// head.global_pool [1 64]
	// pre_logits [1 64]
}
