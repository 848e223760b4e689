// Package devtools pins the programs that checks and benchmarks use, in a
// module of its own so that users of the SDK do not depend on them. From the
// root of the repository:
//
//	go tool -modfile=internal/devtools/go.mod staticcheck ./...
//	go tool -modfile=internal/devtools/go.mod benchstat old.txt new.txt
package devtools
