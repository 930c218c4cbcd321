// Draws 64 digits: ./digits generator.onnx digits.png [SEED]
//
//   g++ -O2 -std=c++20 digits.cpp -I$ORT/include -L$ORT/lib -lonnxruntime -lpng -Wl,-rpath,$ORT/lib -o digits
//
// ORT is an unpacked release of ONNX Runtime, https://github.com/microsoft/onnxruntime/releases; tried with 1.29.0.
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <vector>

#include <onnxruntime_cxx_api.h>
#include <png.h>

// Four random words: a block of a picture's noise.
std::array<uint64_t, 4> philox(uint64_t seed, uint64_t image, uint64_t block) {
  uint64_t c0 = block, c1 = 0, c2 = image, c3 = 0, k0 = seed, k1 = 0;
  for (int round = 0; round < 10; round++) {
    auto p = static_cast<unsigned __int128>(c0) * 0xD2E7470EE14C6C93;
    auto q = static_cast<unsigned __int128>(c2) * 0xCA5A826395121157;
    c0 = static_cast<uint64_t>(q >> 64) ^ c1 ^ k0;
    c1 = static_cast<uint64_t>(q);
    c2 = static_cast<uint64_t>(p >> 64) ^ c3 ^ k1;
    c3 = static_cast<uint64_t>(p);
    k0 += 0x9E3779B97F4A7C15;
    k1 += 0xBB67AE8584CAA73B;
  }
  return {c0, c1, c2, c3};
}

// Maps u in (0, 1) to a standard normal value (Giles 2012, "Approximating the erfinv function").
double normal(double u) {
  static const double middle[] = {2.81022636e-8,  3.43273939e-7,  -3.5233877e-6, -4.39150654e-6, 2.1858087e-4,
                                  -1.25372503e-3, -4.17768164e-3, 0.246640727,   1.50140941};
  static const double tail[] = {-2.00214257e-4, 1.00950558e-4, 1.34934322e-3, -3.67342844e-3, 5.73950773e-3,
                                -7.6224613e-3,  9.43887047e-3, 1.00167406,    2.83297682};
  double w = -std::log(4 * u * (1 - u)), x = w < 5 ? w - 2.5 : std::sqrt(w) - 3, sum = 0;
  for (double c : w < 5 ? middle : tail) sum = sum * x + c;
  return std::sqrt(2) * (2 * u - 1) * sum;
}

int main(int argc, char** argv) try {
  uint64_t seed = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 1;
  Ort::Env env;
  Ort::Session session(env, argv[1], Ort::SessionOptions());
  int64_t size = session.GetInputTypeInfo(0).GetTensorTypeAndShapeInfo().GetShape()[1];

  // The latent vectors of the first 64 pictures, as `ganinfer generate` draws them.
  std::vector<float> z;
  for (int image = 0; image < 64; image++)
    for (int i = 0; i < size; i++)
      z.push_back(normal(((philox(seed, image, i / 4 + 1)[i % 4] >> 12) + 0.5) * 0x1p-52));

  std::array<int64_t, 2> shape{64, size};
  auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  auto input = Ort::Value::CreateTensor<float>(memory, z.data(), z.size(), shape.data(), shape.size());
  const char* inputs[] = {"z"};
  const char* outputs[] = {"image"};
  auto results = session.Run(Ort::RunOptions(), inputs, &input, 1, outputs, 1);
  const float* images = results[0].GetTensorData<float>();  // [64, 1, 28, 28] in [-1, 1]
  auto dims = results[0].GetTensorTypeAndShapeInfo().GetShape();

  // Each pixel is a square of four, with lines of two between pictures.
  png_uint_32 h = 2 * dims[2], w = 2 * dims[3], height = 8 * (h + 2) + 2, width = 8 * (w + 2) + 2;
  std::vector<uint8_t> grid(height * width, 128);
  for (png_uint_32 i = 0; i < 64; i++)
    for (png_uint_32 y = 0; y < h; y++)
      for (png_uint_32 x = 0; x < w; x++) {
        float v = images[(i * h / 2 + y / 2) * w / 2 + x / 2];
        grid[(2 + i / 8 * (h + 2) + y) * width + 2 + i % 8 * (w + 2) + x] = std::floor((v + 1) * 127.5 + 0.5);
      }
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = width;
  png.height = height;
  png.format = PNG_FORMAT_GRAY;
  if (!png_image_write_to_file(&png, argv[2], 0, grid.data(), 0, nullptr)) throw std::runtime_error(png.message);
} catch (const std::exception& e) {
  std::cerr << e.what() << '\n';
  return 1;
}
