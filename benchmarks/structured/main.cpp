// Structured zeros over packed dense weights of the same type, all in turn in one process, one
// thread, the least of many rounds, outputs checked.
//
// usage: sparsekit_structured_benchmark --table [--csv FILE] [--rounds R]
//          N:M, free and shared by rows, and blocks; f32, bf16, f16 and s8; 1 column with weights
//          from memory (4096 x 4096), 16, 64 and 256 columns with weights in cache (512 x 512)
//        sparsekit_structured_benchmark --hand FILE [--csv FILE] [--rounds R]
//          a network's layers with removed channels: FILE is what tools/convert_channel_pruned.py
//          makes of models/hand_landmark_full_channel_pruned/weights_csr.npz
//        sparsekit_structured_benchmark --pose FOLDER [--csv FILE] [--rounds R]
//          a network's layers in int8 beside f32, with their real X: FOLDER holds opNNN_W.mtx[.gz],
//          opNNN_X.npy, opNNN_b.npy and opNNN_Y.npy
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "contenders.hpp"

int main(int argc, char** argv) {
  using namespace structured_benchmark;
  options o;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--table") {
      o.table = true;
      continue;
    }
    const char* value = i + 1 < argc ? argv[++i] : nullptr;
    if (value == nullptr) {
      std::fprintf(stderr, "%s needs a value, or is not an option\n", word.c_str());
      return 1;
    }
    if (word == "--pose") {
      o.pose = value;
    } else if (word == "--hand") {
      o.hand = value;
    } else if (word == "--csv") {
      o.csv = value;
    } else if (word == "--rounds") {
      o.rounds = std::atoi(value);
      if (o.rounds < 1) {
        std::fprintf(stderr, "--rounds: %s is not a number from 1 on\n", value);
        return 1;
      }
    } else {
      std::fprintf(stderr, "%s is not an option\n", word.c_str());
      return 1;
    }
  }
  if ((o.table ? 1 : 0) + (o.pose.empty() ? 0 : 1) + (o.hand.empty() ? 0 : 1) != 1) {
    std::fprintf(stderr,
                 "usage: %s --table | --hand FILE | --pose FOLDER [--csv FILE] [--rounds R]\n",
                 argv[0]);
    return 1;
  }
  try {
    if (o.table) run_table(o);
    if (!o.hand.empty()) run_hand(o);
    if (!o.pose.empty()) run_pose(o);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
  return 0;
}
