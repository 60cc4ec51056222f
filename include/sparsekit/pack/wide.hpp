// The packer of wide rows (formats/wide.hpp tells the form): CSR in, packed bytes out.
#pragma once

#include <algorithm>

#include "../formats/csr.hpp"
#include "../formats/wide.hpp"
#include "../policy.hpp"

namespace sparsekit {
inline namespace v0 {
SPARSEKIT_EXEC_BEGIN_IN_V0

/// Packs a valid CSR matrix of at most 65536 columns, on `policy`'s threads. Time: about two multiplies with
/// 64 columns; memory: 6.2 bytes a nonzero for float at 95 % zeros. Errors: too many columns or entries in
/// a row, out of memory.
template <class Policy, class T, class Index, class Offset>
result<wide_matrix<T>> pack_wide(const Policy& policy, const csr_view<const T, Index, Offset>& a) {
  using view = wide_view<T>;
  constexpr index_t eight = view::group_rows;
  if (a.cols() > view::max_cols) {
    return status{.code = errc::size_overflow, .object = "wide", .detail = "cols",
                  .got = a.cols(), .allowed = view::max_cols};
  }
  const index_t groups = ceil_div(a.rows(), eight);
  const auto count = [&](index_t r) {
    return static_cast<index_t>(a.row_ptr[r + 1]) - static_cast<index_t>(a.row_ptr[r]);
  };
  // The rows of each block by count, longest first; equal counts in the order of the source.
  buffer<std::uint16_t> order;
  buffer<std::uint32_t> starts;
  if (status s = order.allocate(groups * eight); !s) return s;
  if (status s = starts.allocate(groups + 1); !s) return s;
  index_t steps = 0;
  for (index_t g = 0; g < groups; ++g) {
    const index_t r0 = g / view::block_groups * view::row_block;
    if (g % view::block_groups == 0) {
      const index_t rows = std::min(a.rows() - r0, view::row_block);
      std::uint16_t* const block = order.data() + r0;
      for (index_t r = 0; r < round_up(rows, eight); ++r) {
        block[r] = r < rows ? static_cast<std::uint16_t>(r) : view::no_row;
      }
      std::sort(block, block + rows, [&](std::uint16_t p, std::uint16_t q) {
        const index_t cp = count(r0 + p);
        const index_t cq = count(r0 + q);
        return cp != cq ? cp > cq : p < q;
      });
    }
    starts[g] = static_cast<std::uint32_t>(steps);
    const index_t longest = count(r0 + order[g % view::block_groups * eight + r0]);
    if (longest > view::max_count) {
      return status{.code = errc::size_overflow, .object = "wide", .detail = "entries of a row",
                    .got = longest, .allowed = view::max_count};
    }
    steps += longest;
    if (steps > index_t{std::numeric_limits<std::uint32_t>::max()}) {
      return status{.code = errc::size_overflow, .object = "wide", .detail = "steps", .got = steps,
                    .allowed = std::numeric_limits<std::uint32_t>::max()};
    }
  }
  starts[groups] = static_cast<std::uint32_t>(steps);

  packed_header h;
  h.form = packed_form::wide;
  h.type = packed_type_of<T>;
  h.rows = a.rows();
  h.cols = a.cols();
  h.nnz = a.nnz();
  h.slots = a.nnz();  // places beyond a row's count are not multiplied
  h.row_block = static_cast<std::int32_t>(view::row_block);
  const index_t sizes[] = {(groups + 1) * index_t{sizeof(std::uint32_t)},
                           groups * eight * index_t{sizeof(std::uint16_t)},
                           groups * eight * index_t{sizeof(std::uint16_t)},
                           steps * eight * index_t{sizeof(std::uint16_t)},
                           steps * eight * index_t{sizeof(T)}};
  if (status s = layout_packed(h, sizes, 5); !s) return s;
  buffer<std::byte> bytes;
  if (status s = bytes.allocate_zeroed(h.total_bytes); !s) return s;
  const auto section = [&](int i) { return bytes.data() + h.sections[i].offset; };
  std::memcpy(section(0), starts.data(), static_cast<std::size_t>(sizes[0]));
  if (groups > 0) std::memcpy(section(1), order.data(), static_cast<std::size_t>(sizes[1]));
  auto* const counts = reinterpret_cast<std::uint16_t*>(section(2));
  auto* const columns = reinterpret_cast<std::uint16_t*>(section(3));
  auto* const values = reinterpret_cast<T*>(section(4));
  run_tasks(policy, ceil_div(a.rows(), view::row_block), [&](index_t block, index_t) {
    const index_t g0 = block * view::block_groups;
    const index_t g1 = std::min(groups, g0 + view::block_groups);
    for (index_t l = g0 * eight; l < g1 * eight; ++l) {
      if (order[l] == view::no_row) continue;
      const index_t row = block * view::row_block + order[l];
      const index_t n = count(row);
      counts[l] = static_cast<std::uint16_t>(n);
      const index_t from = static_cast<index_t>(a.row_ptr[row]);
      const index_t to = index_t{starts[l / eight]} * eight + l % eight;
      for (index_t i = 0; i < n; ++i) {
        columns[to + i * eight] = static_cast<std::uint16_t>(a.columns[from + i]);
        values[to + i * eight] = a.values[from + i];
      }
    }
  });
  seal_packed(bytes.data(), h);
  return wide_matrix<T>(std::move(bytes));
}

SPARSEKIT_EXEC_END_IN_V0
}  // namespace v0
}  // namespace sparsekit
