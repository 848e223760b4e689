// Package deps holds the architecture of the module as tests: which package
// may import which, and that a program which depends on the module builds and
// starts. It has no code of its own.
package deps
