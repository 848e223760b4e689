package resnet_test

import (
	"fmt"

	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/resnet"
)

func ExamplePreset() {
	cfg, err := resnet.Preset("seresnext50_32x4d", 1000)
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := resnet.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(nn.Count(m), "parameters")
	// Output: 27559896 parameters
}

func ExampleModel_Walk() {
	m := resnet.ResNet18(10)
	tape := nn.NewTape(nn.Inference, nil)
	m.Walk(tape, tape.Describe(1, 224, 224, 3), func(name string, y *nn.Tensor) {
		fmt.Println(name, y.Shape())
	})
	// Output:
	// act1 [1 112 112 64]
	// maxpool [1 56 56 64]
	// layer1 [1 56 56 64]
	// layer2 [1 28 28 128]
	// layer3 [1 14 14 256]
	// layer4 [1 7 7 512]
	// pre_logits [1 512]
}
