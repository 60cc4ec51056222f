// sparsekit as a plug-in of the peer harness (peer.h): what a user would write, through the public
// API only. Packing happens in set-up; re-laying X is inside the timed call, as for every peer.
#include <peer.h>

#include <sparsekit/choose.hpp>
#include <sparsekit/sparsekit.hpp>

namespace {

namespace sk = sparsekit;

sk::csr_view<const float> weights32(const sk_problem& p) {
  return {{p.M, p.K}, {p.rowptr, p.M + 1}, {p.col, p.nnz}, {p.val, p.nnz}};
}
sk::csr_view<const double> weights64(const sk_problem& p) {
  return {{p.M, p.K}, {p.rowptr, p.M + 1}, {p.col, p.nnz}, {p.val64, p.nnz}};
}

/// One problem: the operand on the left, ready to be multiplied, and its scratch memory.
template <class Weights>
struct job {
  sk_problem p;
  Weights w;
  sk::workspace ws;
};

template <class Weights>
void* start(const sk_problem& p, sk::result<Weights>&& w) {
  Weights weights;
  if (sk::status s = std::move(w).get(weights); !s) return nullptr;
  sk::workspace ws(weights, {.max_columns = p.N});
  return new job<Weights>{p, std::move(weights), std::move(ws)};
}

/// X features x tokens (row_major), or tokens x features (col_major), and Y likewise.
template <class Weights, class Layout>
void run(void* handle) {
  auto& j = *static_cast<job<Weights>*>(handle);
  const sk_problem& p = j.p;
  if (p.N == 1) {
    sk::multiply(j.w, sk::array_view<const float>(p.X, p.K), sk::array_view<float>(p.Y, p.M), j.ws);
    return;
  }
  const float* x = Layout::rows_contiguous ? p.X : p.XT;
  sk::multiply(j.w, sk::dense_view<const float, Layout>(x, p.K, p.N),
               sk::dense_view<float, Layout>(p.Y, p.M, p.N), j.ws);
}
template <class Weights>
void run64(void* handle) {
  auto& j = *static_cast<job<Weights>*>(handle);
  sk::multiply(j.w, sk::array_view<const double>(j.p.X64, j.p.K),
               sk::array_view<double>(j.p.Y64, j.p.M), j.ws);
}
template <class Weights>
void destroy(void* handle) {
  delete static_cast<job<Weights>*>(handle);
}

using dense = sk::packed_dense<float>;
void* start_dense(const sk_problem* p) {
  return start(*p, sk::pack_dense(sk::dense_view<const float>(p->Wd, p->M, p->K)));
}
/// Entries that read X as tokens x features have nothing to add for one column.
void* start_dense_xt(const sk_problem* p) { return p->N > 1 ? start_dense(p) : nullptr; }

using csr = sk::csr_view<const float>;
void* start_csr(const sk_problem* p) { return start(*p, sk::result<csr>(weights32(*p))); }

using packed = sk::packed_matrix<float>;
void* start_pack(const sk_problem* p) {
  return start(*p, sk::pack(weights32(*p), {.columns = {p->N}}));
}
void* start_pack_xt(const sk_problem* p) { return p->N > 1 ? start_pack(p) : nullptr; }

using chosen = sk::chosen_matrix<float>;
void* start_choose(const sk_problem* p) {
  return start(*p, sk::choose(sk::measure, sk::dense_view<const float>(p->Wd, p->M, p->K),
                              {.columns = {p->N}}));
}

using packed64 = sk::packed_matrix<double>;
void* start_pack64(const sk_problem* p) {
  return start(*p, sk::pack(weights64(*p), {.columns = {p->N}}));
}
using csr64 = sk::csr_view<const double>;
void* start_csr64(const sk_problem* p) { return start(*p, sk::result<csr64>(weights64(*p))); }

const sk_peer peers[] = {
    {"sparsekit-dense", 1, 0, start_dense, run<dense, sk::row_major>, destroy<dense>, 0},
    {"sparsekit-dense-xt", 1, 0, start_dense_xt, run<dense, sk::col_major>, destroy<dense>, 1},
    {"sparsekit-csr", 0, 0, start_csr, run<csr, sk::row_major>, destroy<csr>, 0},
    {"sparsekit-pack", 0, 0, start_pack, run<packed, sk::row_major>, destroy<packed>, 0},
    {"sparsekit-pack-xt", 0, 0, start_pack_xt, run<packed, sk::col_major>, destroy<packed>, 1},
    {"sparsekit-choose", 0, 0, start_choose, run<chosen, sk::row_major>, destroy<chosen>, 0},
    {"sparsekit-pack64", 0, 1, start_pack64, run64<packed64>, destroy<packed64>, 0},
    {"sparsekit-csr64", 0, 1, start_csr64, run64<csr64>, destroy<csr64>, 0},
};

}  // namespace

extern "C" const sk_peer* sk_peers(int* count) {
  *count = sizeof peers / sizeof *peers;
  return peers;
}
