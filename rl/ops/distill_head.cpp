#include "rl/ops/distill_head.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/logaddexp.h>

#include <algorithm>
#include <cmath>

#include "rl/ops/matmul.h"
#include "rl/ops/simd.h"

namespace hone::rl {
namespace {

// Sums run in f32 over so many tokens, and in f64 over those sums: a vocabulary has 150,000.
constexpr std::int64_t kBlock = 512;

/// log sum e^(row * scale).
HONE_SIMD double row_lse(const float* row, std::int64_t V, float scale) {
  float largest = row[0];
  for (std::int64_t v = 0; v < V; ++v) largest = row[v] > largest ? row[v] : largest;
  double sum = 0;
  for (std::int64_t from = 0; from < V; from += kBlock) {
    const std::int64_t to = from + kBlock < V ? from + kBlock : V;
    float some = 0;
    for (std::int64_t v = from; v < to; ++v) some += fast_exp((row[v] - largest) * scale);
    sum += static_cast<double>(some);
  }
  return static_cast<double>(largest) * scale + std::log(sum);
}

struct Sides {
  float scale, beta, student_lse, teacher_lse;
};

/// log((1 - beta) e^a + beta e^b), whichever is larger taken out first.
[[gnu::always_inline]] inline float log_mixture(float a, float b, float beta) {
  const float most = a > b ? a : b;
  return most + fast_log((1.0f - beta) * fast_exp(a - most) + beta * fast_exp(b - most));
}

struct RowSums {
  double value, mean;
};

/// sum t (log t - log s); nothing for the backward pass.
HONE_SIMD RowSums forward_kl(const float* student, const float* teacher, std::int64_t V,
                             Sides side) {
  double value = 0;
  for (std::int64_t from = 0; from < V; from += kBlock) {
    const std::int64_t to = from + kBlock < V ? from + kBlock : V;
    float some = 0;
    for (std::int64_t v = from; v < to; ++v) {
      const float s = student[v] * side.scale - side.student_lse,
                  t = teacher[v] * side.scale - side.teacher_lse;
      some += fast_exp(t) * (t - s);
    }
    value += static_cast<double>(some);
  }
  return {value, 0};
}

/// sum s (log s - log t), which is also the mean of the pull log s - log t.
HONE_SIMD RowSums reverse_kl(const float* student, const float* teacher, std::int64_t V,
                             Sides side) {
  double value = 0;
  for (std::int64_t from = 0; from < V; from += kBlock) {
    const std::int64_t to = from + kBlock < V ? from + kBlock : V;
    float some = 0;
    for (std::int64_t v = from; v < to; ++v) {
      const float s = student[v] * side.scale - side.student_lse,
                  t = teacher[v] * side.scale - side.teacher_lse;
      some += fast_exp(s) * (s - t);
    }
    value += static_cast<double>(some);
  }
  return {value, value};
}

/// The pull of Jsd on log s is (1 - beta)(log s - log m): the mixture's own change sums to nothing.
HONE_SIMD RowSums jsd(const float* student, const float* teacher, std::int64_t V, Sides side) {
  double of_teacher = 0, of_student = 0;
  for (std::int64_t from = 0; from < V; from += kBlock) {
    const std::int64_t to = from + kBlock < V ? from + kBlock : V;
    float some_t = 0, some_s = 0;
    for (std::int64_t v = from; v < to; ++v) {
      const float s = student[v] * side.scale - side.student_lse,
                  t = teacher[v] * side.scale - side.teacher_lse, m = log_mixture(s, t, side.beta);
      some_t += fast_exp(t) * (t - m);
      some_s += fast_exp(s) * (s - m);
    }
    of_teacher += static_cast<double>(some_t);
    of_student += static_cast<double>(some_s);
  }
  const double b = side.beta;
  return {b * of_teacher + (1 - b) * of_student, (1 - b) * of_student};
}

// The student's logits become their own gradient. With a = logits / temperature: d/da is s - t for
// the forward KL, and s (pull - mean of pull) for the other two.

HONE_SIMD void forward_kl_gradient(float* student, const float* teacher, std::int64_t V, Sides side,
                                   float upstream) {
  const float factor = upstream * side.scale;
  for (std::int64_t v = 0; v < V; ++v)
    student[v] = factor * (fast_exp(student[v] * side.scale - side.student_lse) -
                           fast_exp(teacher[v] * side.scale - side.teacher_lse));
}

HONE_SIMD void reverse_kl_gradient(float* student, const float* teacher, std::int64_t V, Sides side,
                                   float mean, float upstream) {
  const float factor = upstream * side.scale;
  for (std::int64_t v = 0; v < V; ++v) {
    const float s = student[v] * side.scale - side.student_lse,
                t = teacher[v] * side.scale - side.teacher_lse;
    student[v] = factor * fast_exp(s) * ((s - t) - mean);
  }
}

HONE_SIMD void jsd_gradient(float* student, const float* teacher, std::int64_t V, Sides side,
                            float mean, float upstream) {
  const float factor = upstream * side.scale;
  for (std::int64_t v = 0; v < V; ++v) {
    const float s = student[v] * side.scale - side.student_lse,
                t = teacher[v] * side.scale - side.teacher_lse;
    const float pull = (1.0f - side.beta) * (s - log_mixture(s, t, side.beta));
    student[v] = factor * fast_exp(s) * (pull - mean);
  }
}

std::int64_t chunk_rows(std::int64_t V, const DistillOptions& options) {
  return std::max<std::int64_t>(
      1, options.logits_bytes / (2 * V * static_cast<std::int64_t>(sizeof(float))));
}

void check(const HeadRows& student, const HeadRows& teacher, const DistillOptions& options) {
  TORCH_CHECK(student.hidden.size(0) == teacher.hidden.size(0),
              "student and teacher have different rows");
  TORCH_CHECK(student.weight.size(0) == teacher.weight.size(0),
              "student and teacher have different vocabularies");
  TORCH_CHECK(options.temperature > 0, "the temperature must be above 0");
  TORCH_CHECK(options.divergence != Divergence::Jsd || (options.beta > 0 && options.beta < 1),
              "beta must lie inside (0, 1)");
}

}  // namespace

namespace {

/// The divergence of each row and its gradient in the student's logits over the temperature, from
/// log-probabilities [n,V]: the formulas above, on a device.
struct DeviceTerms {
  at::Tensor values, gradient;  // [n], [n,V]
};

DeviceTerms device_terms(const HeadRows& student, const HeadRows& teacher, std::int64_t from,
                         std::int64_t n, const DistillOptions& options) {
  const auto log_probs = [&](const HeadRows& side) {
    return at::log_softmax(
        matmul_nt_f32(side.hidden.narrow(0, from, n), side.weight).div_(options.temperature), 1);
  };
  const auto s = log_probs(student), t = log_probs(teacher);
  if (options.divergence == Divergence::ForwardKl) {
    const auto weight = t.exp();
    return {(weight * (t - s)).sum(1), s.exp() - weight};
  }
  const auto weight = s.exp();
  const auto with = [&](const at::Tensor& pull) {  // s (pull - mean of pull)
    return weight * (pull - (weight * pull).sum(1, /*keepdim=*/true));
  };
  if (options.divergence == Divergence::ReverseKl) {
    const auto pull = s - t;
    return {(weight * pull).sum(1), with(pull)};
  }
  const double b = options.beta;
  const auto m = at::logaddexp(s + std::log(1 - b), t + std::log(b)), pull = s - m;
  return {b * (t.exp() * (t - m)).sum(1) + (1 - b) * (weight * pull).sum(1), with((1 - b) * pull)};
}

}  // namespace

at::Tensor distill_divergence(const HeadRows& student, const HeadRows& teacher,
                              const DistillOptions& options, DistillTrace* trace) {
  check(student, teacher, options);
  const std::int64_t N = student.hidden.size(0), V = student.weight.size(0),
                     chunk = chunk_rows(V, options);
  auto out = at::empty({N}, student.hidden.options().dtype(at::kFloat));
  if (out.is_cuda()) {
    for (std::int64_t from = 0; from < N; from += chunk) {
      const std::int64_t n = std::min(chunk, N - from);
      out.narrow(0, from, n).copy_(device_terms(student, teacher, from, n, options).values);
    }
    if (trace) *trace = {student, teacher, {}, {}, {}};
    return out;
  }
  auto student_lse = at::empty_like(out), teacher_lse = at::empty_like(out),
       mean = at::empty_like(out);
  float *value = out.data_ptr<float>(), *s_lse = student_lse.data_ptr<float>(),
        *t_lse = teacher_lse.data_ptr<float>(), *pull = mean.data_ptr<float>();
  const auto scale = static_cast<float>(1.0 / options.temperature);
  for (std::int64_t from = 0; from < N; from += chunk) {
    const std::int64_t n = std::min(chunk, N - from);
    const auto s = matmul_nt(student.hidden.narrow(0, from, n), student.weight),
               t = matmul_nt(teacher.hidden.narrow(0, from, n), teacher.weight);  // [n,V]
    const float *s_rows = s.const_data_ptr<float>(), *t_rows = t.const_data_ptr<float>();
    at::parallel_for(0, n, 1, [&](std::int64_t a, std::int64_t b) {
      for (std::int64_t i = a; i < b; ++i) {
        const float *s_row = s_rows + i * V, *t_row = t_rows + i * V;
        const Sides side{scale, static_cast<float>(options.beta),
                         s_lse[from + i] = static_cast<float>(row_lse(s_row, V, scale)),
                         t_lse[from + i] = static_cast<float>(row_lse(t_row, V, scale))};
        const auto sums =
            options.divergence == Divergence::ForwardKl   ? forward_kl(s_row, t_row, V, side)
            : options.divergence == Divergence::ReverseKl ? reverse_kl(s_row, t_row, V, side)
                                                          : jsd(s_row, t_row, V, side);
        value[from + i] = static_cast<float>(sums.value);
        pull[from + i] = static_cast<float>(sums.mean);
      }
    });
  }
  if (trace) *trace = {student, teacher, student_lse, teacher_lse, mean};
  return out;
}

at::Tensor distill_divergence_backward(const at::Tensor& dvalues, at::Tensor dweight,
                                       const DistillOptions& options, DistillTrace& trace) {
  const auto& [student, teacher, student_lse, teacher_lse, mean] = trace;
  const std::int64_t N = student.hidden.size(0), V = student.weight.size(0),
                     chunk = chunk_rows(V, options);
  auto dhidden = at::empty_like(student.hidden);
  if (dhidden.is_cuda()) {
    for (std::int64_t from = 0; from < N; from += chunk) {
      const std::int64_t n = std::min(chunk, N - from);
      const auto upstream = (dvalues.narrow(0, from, n) / options.temperature).unsqueeze(1);
      const auto dlogits = (device_terms(student, teacher, from, n, options).gradient * upstream)
                               .to(student.weight.scalar_type());
      dhidden.narrow(0, from, n).copy_(matmul_nn(dlogits, student.weight));
      if (dweight.defined()) accumulate_tn(dweight, dlogits, student.hidden.narrow(0, from, n));
    }
    trace = {};
    return dhidden;
  }
  const float *s_lse = student_lse.const_data_ptr<float>(),
              *t_lse = teacher_lse.const_data_ptr<float>(), *pull = mean.const_data_ptr<float>(),
              *d = dvalues.const_data_ptr<float>();
  const auto scale = static_cast<float>(1.0 / options.temperature);
  for (std::int64_t from = 0; from < N; from += chunk) {
    const std::int64_t n = std::min(chunk, N - from);
    const auto hidden = student.hidden.narrow(0, from, n);
    const auto s = matmul_nt(hidden, student.weight),
               t = matmul_nt(teacher.hidden.narrow(0, from, n), teacher.weight);
    float* s_rows = s.data_ptr<float>();
    const float* t_rows = t.const_data_ptr<float>();
    at::parallel_for(0, n, 1, [&](std::int64_t a, std::int64_t b) {
      for (std::int64_t i = a; i < b; ++i) {
        float* s_row = s_rows + i * V;
        const float* t_row = t_rows + i * V;
        const std::int64_t at = from + i;
        const Sides side{scale, static_cast<float>(options.beta), s_lse[at], t_lse[at]};
        if (options.divergence == Divergence::ForwardKl)
          forward_kl_gradient(s_row, t_row, V, side, d[at]);
        else if (options.divergence == Divergence::ReverseKl)
          reverse_kl_gradient(s_row, t_row, V, side, pull[at], d[at]);
        else
          jsd_gradient(s_row, t_row, V, side, pull[at], d[at]);
      }
    });
    dhidden.narrow(0, from, n).copy_(matmul_nn(s, student.weight));
    if (dweight.defined()) accumulate_tn(dweight, s, hidden);
  }
  trace = {};
  return dhidden;
}

}  // namespace hone::rl
