// packed_matrix: what pack() makes of constant weights. It holds one or several packed forms of the same
// matrix, each the best for some column counts; multiply takes the one that fits the call.
//
// save() writes all forms into one block of packed bytes: a header of form `whole`, whose sections are the
// packed bytes of the forms: quads, lookup, spmv, wide, bitmask, each empty if absent. view_of() checks such a block and
// multiplies from where it lies; from_bytes() copies it into a matrix that owns its memory.
#pragma once

#include <string>
#include <utility>

#include "bitmask.hpp"
#include "lookup.hpp"
#include "quads.hpp"
#include "spmv_packed.hpp"
#include "wide.hpp"

namespace sparsekit {
inline namespace v0 {

/// Forms that are absent have no rows.
template <class T>
struct packed_view {
  using value_type = std::remove_cv_t<T>;

  extents shape{};
  index_t entries = 0;
  quad_view<const value_type> quads{};     ///< two columns and more
  lookup_view<const value_type> lookup{};  ///< few columns, weights
  spmv_view<const value_type> spmv{};      ///< one column, very sparse matrices
  wide_view<const value_type> wide{};      ///< instead of quads: very sparse, or few columns
  bitmask_view<const value_type> bits{};   ///< instead of lookup: few zeros, from memory

  packed_view<const value_type> as_const() const {
    return {shape, entries, quads, lookup, spmv, wide, bits};
  }
  index_t rows() const { return shape.rows; }
  index_t cols() const { return shape.cols; }
  index_t nnz() const { return entries; }
  bool has_quads() const { return quads.row_block != 0; }
  bool has_lookup() const { return lookup.window_bytes != 0; }
  bool has_wide() const { return !wide.starts.empty(); }
  bool has_bits() const { return !bits.row_offsets.empty(); }
  bool has_spmv() const { return !has_lookup() && !has_bits() && spmv.shape.rows != 0; }
};

template <class T>
class packed_matrix {
 public:
  using value_type = T;

  packed_matrix() = default;
  packed_matrix(extents shape, index_t nnz, quad_matrix<T>&& quads, lookup_matrix<T>&& lookup = {},
                spmv_packed<T>&& spmv = {}, wide_matrix<T>&& wide = {},
                bitmask_matrix<T>&& bits = {})
      : shape_(shape),
        nnz_(nnz),
        quads_(std::move(quads)),
        lookup_(std::move(lookup)),
        spmv_(std::move(spmv)),
        wide_(std::move(wide)),
        bits_(std::move(bits)),
        view_{.shape = shape_,
              .entries = nnz_,
              .quads = quads_.view(),
              .lookup = lookup_.view(),
              .spmv = spmv_.view(),
              .wide = wide_.view(),
              .bits = bits_.view()} {}
  packed_matrix(packed_matrix&& other) noexcept { *this = std::move(other); }
  packed_matrix& operator=(packed_matrix&& other) noexcept {
    shape_ = other.shape_;
    nnz_ = other.nnz_;
    quads_ = std::move(other.quads_);
    lookup_ = std::move(other.lookup_);
    spmv_ = std::move(other.spmv_);
    wide_ = std::move(other.wide_);
    bits_ = std::move(other.bits_);
    view_ = std::exchange(other.view_, {});
    return *this;
  }

  /// Kept, and by reference: to make it takes longer than to multiply a small matrix.
  const packed_view<const T>& view() const { return view_; }
  extents shape() const { return shape_; }
  index_t rows() const { return shape_.rows; }
  index_t cols() const { return shape_.cols; }
  index_t nnz() const { return nnz_; }
  /// Memory of all forms together.
  index_t bytes() const {
    return quads_.bytes().size() + lookup_.bytes().size() + spmv_.bytes().size() +
           wide_.bytes().size() + bits_.bytes().size();
  }
  /// The forms, each empty if it is absent. Their bytes() can be saved, and multiplied with after
  /// view_of() has checked them.
  const quad_matrix<T>& quads() const { return quads_; }
  const lookup_matrix<T>& lookup() const { return lookup_; }
  const spmv_packed<T>& spmv() const { return spmv_; }
  const wide_matrix<T>& wide() const { return wide_; }
  const bitmask_matrix<T>& bits() const { return bits_; }

  /// All forms as one block of portable bytes: the same on every machine, to be run on any. Errors: out of
  /// memory.
  template <class Flags = flags_tag>
  result<buffer<std::byte>> save() const {
    const array_view<const std::byte> forms[] = {quads_.bytes(), lookup_.bytes(), spmv_.bytes(),
                                                 wide_.bytes(), bits_.bytes()};
    packed_header h;
    h.form = packed_form::whole;
    h.type = packed_type_of<T>;
    h.rows = shape_.rows;
    h.cols = shape_.cols;
    h.nnz = nnz_;
    h.slots = nnz_;
    index_t sizes[form_count];
    for (int i = 0; i < form_count; ++i) sizes[i] = forms[i].size();
    if (status s = layout_packed(h, sizes, form_count); !s) return s;
    buffer<std::byte> bytes;
    if (status s = bytes.allocate_zeroed(h.total_bytes); !s) return s;
    for (int i = 0; i < form_count; ++i) {
      if (forms[i].empty()) continue;
      std::memcpy(bytes.data() + h.sections[i].offset, forms[i].data(),
                  static_cast<std::size_t>(forms[i].size()));
    }
    seal_packed(bytes.data(), h);
    return bytes;
  }

  /// What save() wrote, loaded or mapped on a 64-byte boundary: checked whole, each form's stream included,
  /// and used where it lies. The bytes must outlive the view. O(bytes). Errors: truncated, bad_magic,
  /// bad_version, bad_checksum, unsupported (another form or value type), corrupt.
  template <class Flags = flags_tag>
  static result<packed_view<const T>> view_of(array_view<const std::byte> bytes) {
    array_view<const std::byte> forms[form_count];
    return view_of<Flags>(bytes, forms);
  }

  /// The same checks, and a copy that owns its memory; the bytes may go. Errors: those of view_of, out of
  /// memory.
  template <class Flags = flags_tag>
  static result<packed_matrix> from_bytes(array_view<const std::byte> bytes) {
    packed_view<const T> checked;
    array_view<const std::byte> forms[form_count];
    if (status s = view_of<Flags>(bytes, forms).get(checked); !s) return s;
    buffer<std::byte> copies[form_count];
    for (int i = 0; i < form_count; ++i) {
      if (forms[i].empty()) continue;
      if (status s = copies[i].allocate(forms[i].size()); !s) return s;
      std::memcpy(copies[i].data(), forms[i].data(), static_cast<std::size_t>(forms[i].size()));
    }
    return packed_matrix(checked.shape, checked.entries, quad_matrix<T>(std::move(copies[0])),
                         lookup_matrix<T>(std::move(copies[1])),
                         spmv_packed<T>(std::move(copies[2])),
                         wide_matrix<T>(std::move(copies[3])),
                         bitmask_matrix<T>(std::move(copies[4])));
  }
  /// What was packed and why, in words. Allocates.
  std::string reason() const {
    const double elements = static_cast<double>(shape_.rows) * static_cast<double>(shape_.cols);
    const double zeros = elements == 0 ? 0 : 100 * (1 - static_cast<double>(nnz_) / elements);
    std::string text = std::to_string(zeros).substr(0, zeros < 10 ? 3 : 4) + " % zeros";
    if (!lookup_.bytes().empty())
      text += "; entries everywhere: window-lookup steps for few columns";
    if (lookup_.view().places_in_values) text += ", 18 bits of mantissas kept";
    if (!bits_.bytes().empty()) text += "; entries everywhere: a bitmask for 1 to 3 columns";
    if (!spmv_.bytes().empty()) {
      const bool alone = quads_.bytes().empty() && wide_.bytes().empty();
      text += "; 1 column" + std::string(alone ? ", slowly more: " : ": ") + spmv_.reason();
    }
    if (!quads_.bytes().empty()) text += "; balanced row quads for more columns";
    if (!wide_.bytes().empty()) text += "; wide rows for more columns";
    return text;
  }

 private:
  static constexpr int form_count = 5;

  static status corrupt(const char* detail, any_integer got, any_integer allowed) {
    return {.code = errc::corrupt, .object = "packed", .detail = detail, .got = got,
            .allowed = allowed};
  }
  /// What view_of() does; tells the bytes of each form.
  template <class Flags>
  static result<packed_view<const T>> view_of(array_view<const std::byte> bytes,
                                              array_view<const std::byte> (&forms)[form_count]) {
    packed_header h;
    if (status s = open<Flags>(bytes, h, forms); !s) return s;
    packed_view<const T> view{.shape = extents(h.rows, h.cols), .entries = h.nnz};
    const auto part = [&]<class Form>(std::type_identity<Form>, array_view<const std::byte> b,
                                      auto& out) -> status {
      if (b.empty()) return {};
      if (status s = Form::view_of(b).get(out); !s) return s;
      if (out.rows() != h.rows || out.cols() != h.cols || out.nnz() != h.nnz) {
        return corrupt("shape of a form", out.nnz(), h.nnz);
      }
      return {};
    };
    if (status s = part(std::type_identity<lookup_matrix<T>>{}, forms[1], view.lookup); !s) return s;
    if (status s = part(std::type_identity<bitmask_matrix<T>>{}, forms[4], view.bits); !s) return s;
    if constexpr (!std::is_integral_v<T>) {
      if (status s = part(std::type_identity<quad_matrix<T>>{}, forms[0], view.quads); !s) return s;
    } else if (!forms[0].empty()) {
      return corrupt("forms of s8", forms[0].size(), 0);
    }
    if constexpr (is_narrow<T>) {  // They have no slices and no wide rows.
      const index_t others = forms[2].size() + forms[3].size();
      if (others != 0) return corrupt("forms of a narrow type", others, 0);
    } else {
      if (status s = part(std::type_identity<spmv_packed<T>>{}, forms[2], view.spmv); !s) return s;
      if (status s = part(std::type_identity<wide_matrix<T>>{}, forms[3], view.wide); !s) return s;
    }
    return view;
  }
  /// Header and sections of a whole matrix, none of them looked into.
  template <class Flags>
  static status open(array_view<const std::byte> bytes, packed_header& h,
                     array_view<const std::byte> (&forms)[form_count]) {
    if (status s = validate_packed_header(bytes, packed_form::whole, packed_type_of<T>, h); !s) {
      return s;
    }
    if (h.section_count != form_count) return corrupt("sections", h.section_count, form_count);
    index_t present = 0;
    for (int i = 0; i < form_count; ++i) {
      forms[i] = packed_section_as<std::byte>(bytes.data(), h.sections[i]);
      present += forms[i].empty() ? 0 : 1;
    }
    if (present == 0 && h.nnz != 0) return corrupt("forms", present, 1);
    return {};
  }

  extents shape_{};
  index_t nnz_ = 0;
  quad_matrix<T> quads_;
  lookup_matrix<T> lookup_;
  spmv_packed<T> spmv_;
  wide_matrix<T> wide_;
  bitmask_matrix<T> bits_;
  packed_view<const T> view_{};  ///< of the forms, which moves leave where they lie
};

}  // namespace v0
}  // namespace sparsekit
