// One matrix in any of the forms that choose() knows, several at once if need be, and its multiply.
#pragma once

#include "../convert/to_bsr.hpp"
#include "../convert/to_dense.hpp"
#include "../multiply.hpp"
#include "../pack/bitmask.hpp"
#include "../pack/blocks.hpp"
#include "../pack/dense.hpp"
#include "../pack/nm.hpp"
#include "../pack/pack.hpp"
#include "../pack/structured.hpp"
#include "../pack/wide.hpp"
#include "../plan/cost_model.hpp"

namespace sparsekit {
inline namespace v0 {

/// A form that weights of a type are never packed in (forms_of).
struct no_packed_form {};

/// The packed forms of one matrix. Move-only. Which forms are there is `held()`.
template <class T>
class packed_forms {
  template <form F, class Packed>
  using if_has = std::conditional_t<has_form<T, F>, Packed, no_packed_form>;

 public:
  using csr = if_has<form::csr, csr_matrix<T, std::int32_t, std::int64_t>>;
  using bsr =
      std::conditional_t<is_narrow<T>, packed_blocks<T>, bsr_matrix<T, std::int32_t, std::int64_t>>;

  form_set held() const { return held_; }
  const packed_dense<T>& dense() const { return dense_; }
  /// quads, wide rows, lookup or slices: each alone.
  const packed_matrix<T>& packed(form f) const {
    return f == form::quads ? quads_ : f == form::wide ? wide_ : f == form::lookup ? lookup_ : slices_;
  }
  const packed_nm<T>& nm() const { return nm_; }
  const packed_structured<T>& structured() const { return structured_; }
  const bsr& blocks() const { return bsr_; }
  const csr& rows() const { return csr_; }
  const bitmask_matrix<T>& bits() const { return bits_; }

  /// Memory of a form that is held.
  index_t bytes(form f) const {
    if (!held_.has(f)) return 0;
    switch (f) {
      case form::dense: return dense_.bytes().size();
      case form::quads:
      case form::wide:
      case form::lookup:
      case form::slices: return packed(f).bytes();
      case form::nm: return nm_.bytes().size();
      case form::structured: return structured_.bytes();
      case form::bsr:
        if constexpr (is_narrow<T>) {
          return bsr_.bytes().size();
        } else {
          const auto v = bsr_.view();
          return v.row_ptr.size() * 8 + v.columns.size() * 4 + v.pattern.size() * 8 +
                 v.values.size() * index_t{sizeof(T)};
        }
      case form::csr:
        if constexpr (has_form<T, form::csr>) {
          const auto v = csr_.view();
          return v.row_ptr.size() * 8 + v.nnz() * index_t{4 + sizeof(T)};
        }
        return 0;
      case form::bitmask: return bits_.bytes().size();
    }
    return 0;
  }
  index_t bytes() const {
    index_t total = 0;
    for (int i = 0; i < form_count; ++i) total += bytes(static_cast<form>(i));
    return total;
  }

  /// Packs one form of a valid CSR matrix, cut as suits `target`. `make_dense()` gives the packed
  /// dense weights: the caller has them, or makes them of the entries.
  template <class MakeDense, class Flags = flags_tag>
  status pack_form(const form_choice& f, const csr_view<const T, std::int32_t, std::int64_t>& a,
                   MakeDense&& make_dense, pack_target target = pack_target::native) {
    if (status s = pack_one(f, a, make_dense, target); !s) return s;
    held_.add(f.kind);
    return {};
  }
  void drop(form f) {
    held_.remove(f);
    switch (f) {
      case form::dense: dense_ = packed_dense<T>(); break;
      case form::quads: quads_ = packed_matrix<T>(); break;
      case form::lookup: lookup_ = packed_matrix<T>(); break;
      case form::slices: slices_ = packed_matrix<T>(); break;
      case form::nm: nm_ = packed_nm<T>(); break;
      case form::structured: structured_ = packed_structured<T>(); break;
      case form::bsr: bsr_ = bsr(); break;
      case form::csr: csr_ = csr(); break;
      case form::bitmask: bits_ = bitmask_matrix<T>(); break;
      case form::wide: wide_ = packed_matrix<T>(); break;
    }
  }

 private:
  using source = csr_view<const T, std::int32_t, std::int64_t>;

  template <class MakeDense, class Flags = flags_tag>
  status pack_one(const form_choice& f, const source& a, MakeDense&& make_dense,
                  pack_target target) {
    switch (f.kind) {
      case form::dense: return make_dense().get(dense_);
      case form::quads:
        if constexpr (has_form<T, form::quads>) {
          quad_matrix<T> q;
          const index_t columns = cost_machine::of(target).quad_column_block(f.interleave);
          const quad_shape cut{512, columns, f.interleave};
          if (status s = pack_quads(seq, a, cut).get(q); !s) return s;
          quads_ = packed_matrix<T>(a.shape, a.nnz(), std::move(q));
          return {};
        }
        break;
      case form::lookup: {
        lookup_matrix<T> l;
        if (status s = pack_lookup(unchecked, a, {.target = target}).get(l); !s) return s;
        lookup_ = packed_matrix<T>(a.shape, a.nnz(), {}, std::move(l));
        return {};
      }
      case form::nm: {
        nm_matrix<T> m;
        using rows = convert::csr_rows<source>;
        if (status s = convert::nm_from_rows<T>(a.shape, f.group, rows{a}).get(m); !s) return s;
        return pack(unchecked, m.view()).get(nm_);
      }
      case form::bsr:
        if constexpr (is_narrow<T>) {
          return pack_blocks(a, f.block).get(bsr_);
        } else {
          return convert::bsr_from_csr<bsr>(a, f.block).get(bsr_);
        }
      case form::bitmask: return convert::bitmask_from(a).get(bits_);
      case form::structured: {
        structured_matrix<T> m;
        const auto entries = [&](auto&& each) { convert::for_each_entry(a, each); };
        if (status s = convert::structured_from<T>(a.shape, entries).get(m); !s) return s;
        return pack(m).get(structured_);
      }
      case form::slices:
      case form::csr:
      case form::wide:
        if constexpr (!is_narrow<T>) return pack_wide_type(f, a);
    }
    return {.code = errc::unsupported, .object = "choose", .detail = name_of(f.kind)};
  }
  /// The forms that f32 and f64 alone have.
  template <class Flags = flags_tag>
  status pack_wide_type(const form_choice& f, const source& a) {
    if (f.kind == form::slices) {
      spmv_packed<T> p;
      if (status s = pack_spmv(unchecked, a).get(p); !s) return s;
      slices_ = packed_matrix<T>(a.shape, a.nnz(), {}, {}, std::move(p));
      return {};
    }
    if (f.kind == form::wide) {
      wide_matrix<T> w;
      if (status s = pack_wide(seq, a).get(w); !s) return s;
      wide_ = packed_matrix<T>(a.shape, a.nnz(), {}, {}, {}, std::move(w));
      return {};
    }
    buffer<std::int64_t> row_ptr;
    buffer<std::int32_t> cols;
    buffer<T> values;
    if (status s = copy(a.row_ptr, row_ptr); !s) return s;
    if (status s = copy(a.columns, cols); !s) return s;
    if (status s = copy(a.values, values); !s) return s;
    csr_ = csr(a.shape, std::move(row_ptr), std::move(cols), std::move(values));
    return {};
  }
  template <class U, class V>
  static status copy(array_view<U> from, buffer<V>& to) {
    if (status s = to.allocate(from.size()); !s) return s;
    if (from.size() > 0) std::memcpy(to.data(), from.data(), sizeof(V) * static_cast<std::size_t>(from.size()));
    return {};
  }

  form_set held_;
  packed_dense<T> dense_;
  packed_matrix<T> quads_;
  packed_matrix<T> wide_;
  packed_matrix<T> lookup_;
  packed_matrix<T> slices_;
  packed_nm<T> nm_;
  packed_structured<T> structured_;
  bsr bsr_;
  csr csr_;
  bitmask_matrix<T> bits_;
};

SPARSEKIT_EXEC_BEGIN_IN_V0
namespace plan {

/// Packed dense weights of the entries of a CSR matrix.
template <class T, class Index, class Offset>
result<packed_dense<T>> dense_of(const csr_view<const T, Index, Offset>& a) {
  buffer<T> weights;
  index_t size = 0;
  if (!checked_multiply(a.rows(), a.cols(), size)) {
    return status{.code = errc::size_overflow, .object = "choose", .detail = "rows", .got = a.rows(),
                  .allowed = std::numeric_limits<index_t>::max() / a.cols()};
  }
  if (status s = weights.allocate(size); !s) return s;
  const dense_view<T> w(weights.data(), a.rows(), a.cols());
  if (status s = to_dense(unchecked, a, w); !s) return s;
  return pack_dense(w);
}

}  // namespace plan

/// Y = A X by one of the forms that are held.
template <execution_policy Policy, class T, class X, class Y, class... Optional>
void multiply_by(form f, const Policy& policy, const packed_forms<T>& a, X&& x, Y&& y,
                 const Optional&... optional) {
  switch (f) {
    case form::dense: return multiply(policy, a.dense(), x, y, optional...);
    case form::quads:
    case form::wide:
    case form::lookup:
    case form::slices: return multiply(policy, a.packed(f), x, y, optional...);
    case form::nm: return multiply(policy, a.nm(), x, y, optional...);
    case form::structured: return multiply(policy, a.structured(), x, y, optional...);
    case form::bsr: return multiply(policy, a.blocks(), x, y, optional...);
    case form::csr:
      if constexpr (has_form<T, form::csr>) return multiply(policy, a.rows(), x, y, optional...);
      return;
    case form::bitmask: return multiply(policy, a.bits(), x, y, optional...);
  }
}

/// Scratch for any of the forms that are held.
template <class T>
workspace_size workspace_requirement(const packed_forms<T>& a, index_t columns) {
  workspace_size most{};
  const auto take = [&](form f, const auto& part) {
    if (!a.held().has(f)) return;
    const workspace_size s = workspace_requirement(part, columns);
    most.shared = std::max(most.shared, s.shared);
    most.per_worker = std::max(most.per_worker, s.per_worker);
  };
  take(form::dense, a.dense());
  take(form::quads, a.packed(form::quads));
  take(form::wide, a.packed(form::wide));
  take(form::lookup, a.packed(form::lookup));
  take(form::slices, a.packed(form::slices));
  take(form::nm, a.nm());
  take(form::structured, a.structured());
  take(form::bsr, a.blocks());
  if constexpr (has_form<T, form::csr>) take(form::csr, a.rows());
  take(form::bitmask, a.bits());
  return most;
}

SPARSEKIT_EXEC_END_IN_V0

}  // namespace v0
}  // namespace sparsekit
