package cpu_test

import (
	"fmt"
	"testing"

	"github.com/winnow-go/winnow/internal/device/cpu"
	"github.com/winnow-go/winnow/internal/device/devicetest"
)

func TestBackend(t *testing.T) {
	for _, threads := range []int{1, 2, 5} {
		t.Run(fmt.Sprintf("threads=%d", threads), func(t *testing.T) { devicetest.Run(t, cpu.New(threads)) })
	}
}
