// A loop over independent tasks on a few threads. What a task computes never depends on which thread runs it.
#pragma once

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace me {

template <class Task>
void for_each_task(int n_tasks, int n_threads, Task &&task) {
    n_threads = std::min(n_threads, n_tasks);
    if (n_threads <= 1) {
        for (int t = 0; t < n_tasks; ++t) task(t);
        return;
    }
    std::atomic<int> next{0};
    std::exception_ptr failure;
    std::mutex guard;
    auto work = [&] {
        for (int t = next++; t < n_tasks; t = next++) {
            try {
                task(t);
            } catch (...) {
                std::lock_guard<std::mutex> lock(guard);
                if (!failure) failure = std::current_exception();
            }
        }
    };
    std::vector<std::thread> threads;
    try {
        for (int k = 1; k < n_threads; ++k) threads.emplace_back(work);
    } catch (const std::system_error &) {  // no more threads to be had: those there are do the work
    }
    work();
    for (auto &thread : threads) thread.join();
    if (failure) std::rethrow_exception(failure);
}

}  // namespace me
