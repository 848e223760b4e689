module github.com/winnow-go/winnow/bench

go 1.26.0
