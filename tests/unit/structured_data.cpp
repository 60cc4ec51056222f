// A network's layers from which channel pruning removed columns: found as structured.
#include <doctest/doctest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>

#include "sparsekit/convert/to_structured.hpp"
#include "sparsekit/io/gzip.hpp"
#include "sparsekit/io/npy.hpp"
#include "sparsekit/pack/structured.hpp"

namespace {

namespace sk = sparsekit;
using sk::index_t;

template <class T>
index_t number(sk::io::byte_view bytes, index_t at) {
  return static_cast<index_t>(sk::io::load_little_endian<T>(bytes.data() + at));
}

#if SPARSEKIT_HAS_ZLIB
/// The members of a .npz: a zip archive whose directory stands at its end, without a comment. A
/// member, which zip stores as gzip does, is unpacked as a gzip file of the same data.
std::map<std::string, sk::io::byte_buffer> read_npz(const std::string& path) {
  const auto file = sk::io::read_file(path).value();
  const sk::io::byte_view zip = file.view();
  constexpr index_t end_size = 22, entry_size = 46, member_size = 30, head_size = 10;
  const index_t end = zip.size() - end_size;
  REQUIRE(end > 0);
  REQUIRE(number<std::uint32_t>(zip, end) == 0x06054b50);
  std::map<std::string, sk::io::byte_buffer> members;
  index_t entry = number<std::uint32_t>(zip, end + 16);
  for (index_t i = number<std::uint16_t>(zip, end + 10); i > 0; --i) {
    REQUIRE(number<std::uint32_t>(zip, entry) == 0x02014b50);
    REQUIRE(number<std::uint16_t>(zip, entry + 10) == 8);  // deflated
    const index_t size = number<std::uint32_t>(zip, entry + 20);
    const index_t name_size = number<std::uint16_t>(zip, entry + 28);
    const index_t member = number<std::uint32_t>(zip, entry + 42);
    const index_t data = member + member_size + number<std::uint16_t>(zip, member + 26) +
                         number<std::uint16_t>(zip, member + 28);
    sk::io::byte_buffer packed;
    REQUIRE(packed.allocate_zeroed(head_size + size + 8));
    const unsigned char head[] = {0x1f, 0x8b, 8};
    std::memcpy(packed.data(), head, sizeof head);
    std::memcpy(packed.data() + head_size, zip.data() + data, static_cast<std::size_t>(size));
    // The checksum and the unpacked size, as zip has them.
    std::memcpy(packed.data() + head_size + size, zip.data() + entry + 16, 4);
    std::memcpy(packed.data() + head_size + size + 4, zip.data() + entry + 24, 4);
    members[std::string(sk::io::as_text(sk::io::slice(zip, entry + entry_size, name_size)))] =
        sk::io::gzip<sk::io::with_zlib>::unpack(packed.view(), {}).value();
    entry += entry_size + name_size + number<std::uint16_t>(zip, entry + 30) +
             number<std::uint16_t>(zip, entry + 32);
  }
  return members;
}
#endif

}  // namespace

TEST_CASE("the channels that were pruned from a hand-landmark network are found") {
#if SPARSEKIT_HAS_ZLIB
  const std::string path = std::string(std::getenv("SPARSEKIT_DATA_DIR")) +
                           "/models/hand_landmark_full_channel_pruned/weights_csr.npz";
  if (!std::filesystem::exists(path)) {
    MESSAGE("skipped: no ", path);
    return;
  }
  const auto members = read_npz(path);
  struct expected {
    const char* layer;
    index_t columns, rows;  // removed
  };
  for (const expected& e :
       {expected{"op122", 477, 0}, expected{"op132", 484, 0}, expected{"op142", 486, 1}}) {
    CAPTURE(e.layer);
    const auto values = [&]<class T>(const char* part, T) {
      const auto found = members.find(std::string(e.layer) + part);
      REQUIRE(found != members.end());
      return sk::io::read_values<T>(sk::io::parse_npy(found->second.view()).value()).value();
    };
    const auto data = values(".data.npy", float{});
    const auto columns = values(".indices.npy", std::int32_t{});
    const auto row_ptr = values(".indptr.npy", std::int32_t{});
    const sk::csr_view<const float> a{{192, 1152}, row_ptr.view(), columns.view(), data.view()};
    const auto found = sk::to_structured(a).value();
    CHECK(found.removed_columns() == e.columns);
    CHECK(found.removed_rows() == e.rows);
    CHECK(found.view().values.size() == (192 - e.rows) * (1152 - e.columns));
    CHECK(sk::to_csr(found).value().nnz() == a.nnz());
    CHECK(sk::pack(found).value().nnz() == a.nnz());
  }
#else
  MESSAGE("skipped: this program is built without zlib");
#endif
}
