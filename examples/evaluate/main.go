// Evaluate measures a model on labelled images.
//
//	go run ./examples/evaluate -model birds.safetensors -data photos/
//	go run ./examples/evaluate -model resnet20-12fca82f.th -arch resnet20_cifar -data cifar-10-batches-bin/test_batch.bin
//	go run ./examples/evaluate -model model.safetensors -arch convnext_tiny.fb_in1k -data imagenet/val
//
// The model is a model file, as examples/pipeline and Classifier.Save write
// them, or a checkpoint in any format that package weights reads, with the name
// of its architecture. Such a name is a preset of package convnext or resnet,
// with a tag of timm's behind a point where there is one, or a weight of
// torchvision's such as ResNet50_Weights.IMAGENET1K_V2. It also says how images
// are prepared: the published recipe of that tag, of the architecture's usual tag
// without one, and for the CIFAR family ImageNet's mean and deviation at 32
// pixels, as github.com/akamaster/pytorch_resnet_cifar10 trained it. A file with
// another recipe (timm's config.json, Hugging Face's preprocessor_config.json, a
// winnow transform) is given with -config; if it names an architecture, -arch is
// not needed.
//
// The data are what dataset.Open takes: folders of images, CIFAR-10 or IDX files.
// If names tell a part for testing, that is used, otherwise everything. Images of
// CIFAR-10 and IDX files are not scaled when their size is the model's. Published
// models see images as they are stored; a model file, turned upright if EXIF says
// so.
//
// One line of JSON goes to standard output:
//
//	{"n":1017,"top1":0.9164,"top5":0.998,"mean_class_accuracy":0.9161,"nll":0.3,"images_per_second":900}
//
// top1, top5 and mean_class_accuracy (the mean of the classes' recalls) are
// shares in 0-1, nll is the mean negative log-likelihood in nats of the logits as
// they are, without a model's temperature; images_per_second covers reading,
// decoding and the model, not opening it. With -logits the logits [N,K] float32
// and the labels [N] int64, in the order of the data and in the model's
// numbering, are written to a safetensors file. Memory does not grow with the
// number of images but for some 20 bytes each and their names.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	var o options
	flag.StringVar(&o.model, "model", "", "model file or checkpoint")
	flag.StringVar(&o.arch, "arch", "", "architecture of a checkpoint, such as resnet20_cifar or convnext_tiny.fb_in1k")
	flag.StringVar(&o.config, "config", "", "JSON file with the preprocessing")
	flag.StringVar(&o.data, "data", "", "folder or file of labelled images")
	flag.IntVar(&o.batch, "batch", 0, "images at a time; 0 for 64")
	flag.IntVar(&o.threads, "threads", 0, "processor cores; 0 for all")
	flag.StringVar(&o.logits, "logits", "", "safetensors file to write logits and labels to")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: evaluate -model FILE [-arch NAME] [-config FILE] -data PATH [-batch N] [-threads T] [-logits OUT.safetensors]")
		flag.PrintDefaults()
	}
	flag.Parse()
	if o.model == "" || o.data == "" || flag.NArg() > 0 || o.batch < 0 || o.threads < 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	s, err := evaluate(ctx, o, os.Stderr)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(s)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "evaluate:", err)
		os.Exit(1)
	}
}
