// The tools that developers and .ci/run use, apart from the project's own
// requirements: go tool -modfile=scripts/tools/go.mod NAME
module github.com/gantrain/gantrain/scripts/tools

go 1.26.0

tool google.golang.org/protobuf/cmd/protoc-gen-go

require (
	github.com/bufbuild/protocompile v0.14.1 // indirect
	golang.org/x/sync v0.8.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)
