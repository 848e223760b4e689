//go:build tools

package tools

// avo needs a newer x/tools than it asks for.
import _ "golang.org/x/tools/go/packages"
