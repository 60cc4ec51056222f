// The forms among which choose() decides, and which variant of a form: the group of N:M, the
// block of BSR, the cut of quads.
#pragma once

#include <bit>
#include <string>

#include "../core/number.hpp"
#include "../formats/bsr.hpp"
#include "../formats/nm.hpp"

namespace sparsekit {
inline namespace v0 {

/// Packed forms as the cost model knows them. Each is served by kernels of kernels/table.inc.
enum class form : std::uint8_t {
  dense,       ///< packed dense weights
  quads,       ///< balanced row quads: scattered zeros, several columns
  lookup,      ///< window-lookup steps: scattered zeros, few columns
  slices,      ///< SELL slices with runs: one column, very sparse, bands and grids
  nm,          ///< at most n entries in each m columns, the pattern free or shared by v rows
  structured,  ///< whole rows and columns removed
  bsr,         ///< dense blocks
  csr,         ///< entries row by row
  bitmask,     ///< a bit a place: scattered zeros, few of them, one to three columns
  wide,        ///< wide rows: so few entries that rows hardly share columns, several columns
};
inline constexpr int form_count = 10;

inline const char* name_of(form f) {
  switch (f) {
    case form::dense: return "dense";
    case form::quads: return "quads";
    case form::lookup: return "window lookup";
    case form::slices: return "slices";
    case form::nm: return "N:M";
    case form::structured: return "rows and columns removed";
    case form::bsr: return "blocks";
    case form::csr: return "CSR";
    case form::bitmask: return "bitmask";
    case form::wide: return "wide rows";
  }
  return "unknown";
}

/// A set of forms.
class form_set {
 public:
  constexpr form_set() = default;
  constexpr explicit form_set(std::uint32_t bits) : bits_(bits) {}
  constexpr bool has(form f) const { return (bits_ >> static_cast<int>(f) & 1) != 0; }
  constexpr void add(form f) { bits_ |= 1u << static_cast<int>(f); }
  constexpr void remove(form f) { bits_ &= ~(1u << static_cast<int>(f)); }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr int size() const { return std::popcount(bits_); }
  constexpr std::uint32_t bits() const { return bits_; }

 private:
  std::uint32_t bits_ = 0;
};

/// The forms that weights of type T can be packed in. Narrow types have kernels for fewer; s8 is
/// multiplied by many columns in the forms that dot products of four suit, or by lookup.
template <class T>
constexpr form_set forms_of() {
  form_set s;
  for (const form f :
       {form::dense, form::lookup, form::nm, form::structured, form::bsr, form::bitmask}) {
    s.add(f);
  }
  if constexpr (!std::is_integral_v<T>) s.add(form::quads);
  if constexpr (!is_narrow<T>) {
    for (const form f : {form::slices, form::csr, form::wide}) s.add(f);
  }
  return s;
}
template <class T, form F>
inline constexpr bool has_form = forms_of<T>().has(F);

/// A form with its numbers; those of other forms do not count.
struct form_choice {
  form kind = form::dense;
  nm_shape group{1, 1, 1};
  block_shape block{1, 1};
  index_t interleave = 2;  ///< of quads (pack/quads.hpp): 1 for wide panels, 2 for narrow ones

  /// In words: "2:4 shared by 8 rows", "4 x 4 blocks". Allocates.
  std::string text() const {
    if (kind == form::nm) {
      std::string t = std::to_string(group.n) + ":" + std::to_string(group.m);
      return group.v == 1 ? t : t + " shared by " + std::to_string(group.v) + " rows";
    }
    if (kind == form::bsr) {
      return std::to_string(block.rows) + " x " + std::to_string(block.cols) + " blocks";
    }
    return name_of(kind);
  }
};

}  // namespace v0
}  // namespace sparsekit
