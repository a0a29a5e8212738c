// The scenario table against real shells. Scenarios run side by side, each on a target of its own.
#include "envelope/real_target.hpp"

#include <doctest/doctest.h>
#include <atomic>
#include <thread>

using namespace drill;

namespace {

/// One line per scenario that did not go as the table says.
std::vector<std::string> play_all(std::string_view shell) {
    const auto& table = scenarios::table();
    std::vector<std::string> said(table.size());
    std::atomic<std::size_t> next{0};
    const auto work = [&] {
        for (std::size_t i = next++; i < table.size(); i = next++) {
            RealTarget target(shell);
            said[i] = scenarios::play(table[i], target);
        }
    };
    constexpr int workers = 6;  // most of the time is waiting for guards
    std::vector<std::jthread> threads;
    for (int i = 0; i < workers; ++i) { threads.emplace_back(work); }
    threads.clear();
    std::vector<std::string> wrong;
    for (std::size_t i = 0; i < table.size(); ++i) {
        if (!said[i].empty()) { wrong.push_back(std::string(table[i].claim) + ": " + said[i]); }
    }
    return wrong;
}

void check(std::string_view shell) {
    const std::vector<std::string> wrong = play_all(shell);
    for (const std::string& line : wrong) { MESSAGE(line); }
    CHECK(wrong.empty());
}

}  // namespace

TEST_CASE("every scenario goes as the table says under dash") { check("dash"); }
TEST_CASE("every scenario goes as the table says under bash") { check("bash"); }
TEST_CASE("every scenario goes as the table says under busybox sh") { check("busybox"); }
