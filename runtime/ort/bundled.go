package ort

import (
	"context"
	"fmt"
	goruntime "runtime"

	"github.com/gantrain/gantrain/internal/gomodule"
)

const (
	sherpaModule  = "github.com/k2-fsa/sherpa-onnx-go-linux"
	sherpaVersion = "v1.12.40"
	yalueModule   = "github.com/yalue/onnxruntime_go"
	yalueVersion  = "v1.27.0"
)

// bundled is ONNX Runtime for the CPU by GOOS/GOARCH: 1.24.4 on Linux, 1.24.1
// elsewhere. For Linux onnxruntime_go has one for arm64 only, which needs a
// newer C library than sherpa's.
var bundled = map[string]gomodule.File{
	"linux/amd64": {
		Module: sherpaModule, Version: sherpaVersion, Path: "lib/x86_64-unknown-linux-gnu/libonnxruntime.so",
		SHA256: "88468d42d3381c18a7bd3f99a01f07293ff8c9e38f71fd5bcc5fa08c101d31bf", Size: 25008897,
	},
	"linux/arm64": {
		Module: sherpaModule, Version: sherpaVersion, Path: "lib/aarch64-unknown-linux-gnu/libonnxruntime.so",
		SHA256: "7b31d696ba5020ae72c967e499e802af8123778f1540237bff155db15fe0d7d7", Size: 32116504,
	},
	"darwin/arm64": {
		Module: yalueModule, Version: yalueVersion, Path: "test_data/onnxruntime_arm64.dylib",
		SHA256: "9626bbdd201fbed7e3addcbd9fc7e97ec4954c03afcf40a9883af50498bffb06", Size: 35361880,
	},
	"windows/amd64": {
		Module: yalueModule, Version: yalueVersion, Path: "test_data/onnxruntime.dll",
		SHA256: "8a1aad8d59d02a5337d4e3f5bbd1158c3f7bf84fe3b3f0052f957dd3e75a91cb", Size: 14131232,
	},
}

// fetchBundled returns the path of the library for this machine.
func fetchBundled(ctx context.Context, platform string) (string, error) {
	file, ok := bundled[platform]
	if !ok {
		return "", fmt.Errorf("ort: no ONNX Runtime is bundled for %s: set %s to the path of a shared library of version %s or newer",
			platform, LibraryEnv, oldest)
	}
	path, err := file.Fetch(ctx)
	if err != nil {
		return "", fmt.Errorf("ort: ONNX Runtime cannot be fetched (or set %s to a copy of your own): %w", LibraryEnv, err)
	}
	return path, nil
}

func thisPlatform() string { return goruntime.GOOS + "/" + goruntime.GOARCH }
