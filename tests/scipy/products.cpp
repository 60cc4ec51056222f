// y = A x of one Matrix Market file in every format that multiplies by a vector, for
// check_scipy.py: one file of raw numbers a format and type. x is the same in both types and in
// Python: x[i] = ((7919 i + 13) mod 2003 - 1001) / 1024.
//
//   products FILE.mtx[.gz] FOLDER
#include <cstdio>
#include <limits>
#include <sparsekit/convert/conversions.hpp>
#include <sparsekit/convert/to_bsr.hpp>
#include <sparsekit/convert/to_sell.hpp>
#include <sparsekit/io/matrix_market.hpp>
#include <sparsekit/sparsekit.hpp>
#include <string>
#include <vector>

namespace sk = sparsekit;
using sk::index_t;

namespace {

bool failed = false;

template <class T>
void write(const std::string& path, const std::vector<T>& y) {
  std::FILE* f = std::fopen(path.c_str(), "wb");
  const bool written = f != nullptr && std::fwrite(y.data(), sizeof(T), y.size(), f) == y.size();
  if (!(f != nullptr && std::fclose(f) == 0 && written)) failed = true;
}

/// The product by one format.
template <class T, class Matrix>
void multiply(const std::string& path, const Matrix& a) {
  std::vector<T> x(static_cast<std::size_t>(a.cols()));
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = (static_cast<T>((7919 * i + 13) % 2003) - T{1001}) / T{1024};
  }
  std::vector<T> y(static_cast<std::size_t>(a.rows()), std::numeric_limits<T>::quiet_NaN());
  sk::workspace ws(a, {.max_columns = 1});
  sk::multiply(a, x, y, ws);
  write(path, y);
}

template <class T>
sk::status run(const std::string& file, const std::string& folder) {
  const std::string type = sizeof(T) == 8 ? "f64" : "f32";
  const auto path = [&](const char* form) { return folder + "/" + type + "-" + form; };
  sk::csr_matrix<T> csr;
  if (sk::status s = sk::io::read_matrix_market<T>(file).get(csr); !s) return s;
  multiply<T>(path("csr"), csr);
  sk::packed_matrix<T> packed;
  if (sk::status s = sk::pack(csr, {.columns = {1}}).get(packed); !s) return s;
  multiply<T>(path("pack"), packed);
  sk::coo_matrix<T> coo;
  if (sk::status s = sk::to_coo(csr).get(coo); !s) return s;
  multiply<T>(path("coo"), coo);
  sk::csc_matrix<T> csc;
  if (sk::status s = sk::to_csc(csr).get(csc); !s) return s;
  multiply<T>(path("csc"), csc);
  sk::sell_matrix<T> sell;
  if (sk::status s = sk::to_sell(csr, {.max_fill = 64}).get(sell); !s) return s;
  multiply<T>(path("sell"), sell);
  sk::bsr_matrix<T> bsr;
  if (sk::status s = sk::to_bsr(csr).get(bsr); !s) return s;
  multiply<T>(path("bsr"), bsr);
  // A as the transpose of its transpose.
  sk::csr_matrix<T> transpose;
  if (sk::status s = sk::to_csr(sk::transposed(csr)).get(transpose); !s) return s;
  multiply<T>(path("transposed"), sk::transposed(transpose));
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: products FILE.mtx[.gz] FOLDER\n");
    return 2;
  }
  sk::status s = run<double>(argv[1], argv[2]);
  if (s) s = run<float>(argv[1], argv[2]);
  if (!s) {
    std::fprintf(stderr, "%s\n", s.message().c_str());
    return 1;
  }
  return failed ? 3 : 0;
}
