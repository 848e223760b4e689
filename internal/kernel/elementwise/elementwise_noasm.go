//go:build !amd64 || purego

package elementwise

import "github.com/winnow-go/winnow/internal/cpu"

func choose(cpu.Variant) functions { return generic }
