#include "rl/model/forward.h"

#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>

#include "rl/ops/cuda/ops.h"
#include "rl/ops/few_rows.h"
#include "rl/ops/matmul.h"

namespace hone::rl {
namespace {

/// What the rows that flow into a linear are stored as: what its product takes, so that each is
/// rounded once. But adapters on the CPU are f32 and want their input unrounded, and few rows are
/// multiplied as f32.
at::ScalarType flows_into(const Model& model, const Linear& linear, std::int64_t rows) {
  const bool adapted = !linear.lora.empty() && model.adapters_on;
  const auto& weight = linear.weight.operand();
  if (weight.is_cuda() || adapted || rows <= most_few_rows(weight.scalar_type() == at::kBFloat16))
    return linear.weight.input_type();
  return weight.scalar_type();
}

/// Whether on the CPU all between a block's gate_up and down is bf16; on a device it is anyway.
bool rounds_mlp(const Model& model, const Block& block, std::int64_t rows) {
  return !model.device().is_cuda() && flows_into(model, block.gate_up, rows) == at::kBFloat16 &&
         flows_into(model, block.down, rows) == at::kBFloat16 &&
         !block.gate_up.bias.value.defined();
}

/// Adds the adapters' part to y = x W^T; keeps x A^T in `kept` when wanted.
void add_adapters(const Model& model, const Linear& linear, const at::Tensor& x, at::Tensor y,
                  at::Tensor* kept) {
  if (linear.lora.empty() || !model.adapters_on) return;
  const auto u = matmul_nt(x, linear.lora_a.operand());  // [T, slices * r]
  for (std::size_t s = 0; s < linear.lora.size(); ++s) {
    const auto& slice = linear.lora[s];
    const auto part = u.narrow(1, static_cast<std::int64_t>(s) * model.lora.rank, model.lora.rank);
    auto into = y.narrow(1, slice.row, slice.rows);
    if (part.scalar_type() == y.scalar_type())
      into.addmm_(part, slice.b.operand().t(), 1, model.lora_scale);
    else
      into.add_(matmul_nt(part, slice.b.operand()), model.lora_scale);
  }
  if (kept) *kept = u;
}

at::Tensor apply(const Model& model, const Linear& linear, const at::Tensor& x, at::Tensor* kept) {
  auto y = matmul_nt(x, linear.weight.operand());
  if (linear.bias.value.defined()) y.add_(linear.bias.value);
  add_adapters(model, linear, x, y, kept);
  return y;
}

/// A linear's input before its norm.
struct NormedInput {
  const at::Tensor& x;     // [T,C]
  const at::Tensor& norm;  // [C]
  double eps;
};

/// Whether norm and linear, and swiglu behind them, go by one kernel: without a trace, for few rows
/// on a device. A decode step's kernels are too short to be worth starting apart.
bool in_one_kernel(const Model& model, const Linear& linear, const NormedInput& in, bool traced) {
  return !traced && in.x.is_cuda() && (linear.lora.empty() || !model.adapters_on) &&
         cuda::takes_norm_along(in.x, linear.weight.operand());
}

at::Tensor apply_to_norm(const Model& model, const Linear& linear, const NormedInput& in,
                         at::Tensor* rstd, at::Tensor* kept) {
  if (in_one_kernel(model, linear, in, rstd != nullptr)) {
    auto y = cuda::norm_matmul_nt(in.x, in.norm, in.eps, linear.weight.operand(), at::kBFloat16);
    if (linear.bias.value.defined()) y.add_(linear.bias.value);
    return y;
  }
  const auto type = flows_into(model, linear, in.x.size(0));
  return apply(model, linear, rms_norm(in.x, in.norm, in.eps, rstd, type), kept);
}

/// base plus the linear of x; where `spend`, it may be written over base.
at::Tensor apply_and_add(const Model& model, const Linear& linear, const at::Tensor& base,
                         const at::Tensor& x, at::Tensor* kept, bool spend) {
  const auto& w = linear.weight.operand();
  at::Tensor y;
  if (spend && w.is_cuda()) {
    y = base;
    cuda::add_matmul_nt_to(y, x.to(w.scalar_type()), w);
  } else {
    y = add_matmul_nt(base, x, w);
  }
  if (linear.bias.value.defined()) y.add_(linear.bias.value);
  add_adapters(model, linear, x, y, kept);
  return y;
}

/// The weight's own gradient, where it trains, in the type its products have.
void accumulate_weight(Weight& weight, const at::Tensor& dy, const at::Tensor& x) {
  if (!weight.grad.defined()) return;
  if (weight.rounded.defined())
    accumulate_rounded_tn(weight.grad, dy, x);
  else
    accumulate_tn(weight.grad, dy, x);
}

/// Gradient of a linear's input; adds those of its weight and adapters where they train. `input` is
/// asked for only then.
at::Tensor apply_backward(const Model& model, Linear& linear, const at::Tensor& dout,
                          const std::function<at::Tensor()>& input, const at::Tensor& kept) {
  const auto dy = dout.to(flows_into(model, linear, dout.size(0)));
  auto dx = matmul_nn(dy, linear.weight.operand());
  if (linear.bias.grad.defined())
    linear.bias.grad.add_(dout.sum({0}, false, linear.bias.grad.scalar_type()));
  const bool adapted = !linear.lora.empty() && model.adapters_on;
  if (!linear.weight.grad.defined() && !adapted) return dx;
  const auto x = input();
  accumulate_weight(linear.weight, dy, x);
  if (!adapted) return dx;
  auto du = at::empty({dy.size(0), linear.lora_a.value.size(0)}, dy.options());  // [T, slices * r]
  for (std::size_t s = 0; s < linear.lora.size(); ++s) {
    auto& slice = linear.lora[s];
    const auto column = static_cast<std::int64_t>(s) * model.lora.rank;
    const auto dslice = dy.narrow(1, slice.row, slice.rows);
    du.narrow(1, column, model.lora.rank)
        .copy_(matmul_nn(dslice, slice.b.operand()))
        .mul_(model.lora_scale);
    if (slice.b.grad.defined())
      accumulate_tn(slice.b.grad, dslice, kept.narrow(1, column, model.lora.rank),
                    model.lora_scale);
  }
  if (linear.lora_a.grad.defined()) accumulate_tn(linear.lora_a.grad, du, x);
  return dx.addmm_(du, linear.lora_a.operand());
}

/// One block. `trace` gets what its backward needs, `attend` writes its own part of it. `spend`:
/// nobody wants x afterwards.
at::Tensor block_forward(const Model& model, std::size_t layer, const at::Tensor& x,
                         const at::Tensor& positions,
                         const std::function<at::Tensor(const at::Tensor&)>& attend,
                         BlockTrace* trace, bool spend) {
  const auto& c = model.config;
  const auto& block = model.blocks[layer];
  auto* keep = trace ? trace->lora : nullptr;

  auto qkv = apply_to_norm(model, block.qkv, {x, block.attention_norm.value, c.rms_norm_eps},
                           trace ? &trace->rstd_x : nullptr, keep);
  if (block.q_norm.value.defined())
    head_norm(qkv, block.q_norm.value, block.k_norm.value, model.head_shape(layer), c.rms_norm_eps,
              trace ? &trace->qk_norm : nullptr);
  if (c.turned(layer))
    model.rope.turn(qkv, positions, c.num_attention_heads + c.num_key_value_heads);
  const auto attended = attend(qkv);  // [T, heads * dim]
  const auto y = apply_and_add(model, block.o, x, attended, keep ? keep + 1 : nullptr, spend);
  const NormedInput mlp{y, block.mlp_norm.value, c.rms_norm_eps};
  if (!block.gate_up.bias.value.defined() &&
      in_one_kernel(model, block.gate_up, mlp, trace != nullptr))
    return apply_and_add(
        model, block.down, y,
        cuda::norm_matmul_swiglu(mlp.x, mlp.norm, mlp.eps, block.gate_up.weight.operand()), nullptr,
        spend);
  auto* rstd_y = trace ? &trace->rstd_y : nullptr;
  auto gate_up =
      rounds_mlp(model, block, y.size(0))
          ? matmul_nt_rounded(rms_norm(mlp.x, mlp.norm, mlp.eps, rstd_y, at::kBFloat16),
                              block.gate_up.weight.operand())
          : apply_to_norm(model, block.gate_up, mlp, rstd_y, keep ? keep + 2 : nullptr);  // [T,2F]
  auto out = apply_and_add(model, block.down, y, swiglu(gate_up), keep ? keep + 3 : nullptr, spend);
  if (trace) {
    trace->x = x;
    trace->qkv = qkv;
    trace->attended = attended;
    trace->y = y;
    trace->gate_up = gate_up;
  }
  return out;
}

/// The same with attention over packed segments.
at::Tensor packed_block(const Model& model, std::size_t layer, const at::Tensor& x,
                        const at::Tensor& positions, const Segments& segments, BlockTrace* trace) {
  const auto attend = [&](const at::Tensor& qkv) {
    return attention(qkv, segments, model.head_shape(layer), trace ? &trace->attention : nullptr);
  };
  return block_forward(model, layer, x, positions, attend, trace, false);
}

/// Gradient of the block's input from that of its output.
at::Tensor block_backward(Model& model, std::size_t layer, const at::Tensor& positions,
                          const Segments& segments, BlockTrace t, at::Tensor dout) {
  const auto& c = model.config;
  auto& block = model.blocks[layer];
  // out = y + down(swiglu(gate_up(norm(y))))
  at::Tensor act;
  {
    const auto dy = dout.to(flows_into(model, block.down, dout.size(0)));
    // swiglu_backward needs the gradient of act, so the product with down's weight comes first;
    // down's own gradient needs act, which comes out of the same kernel.
    const auto dact = [&] {
      if (rounds_mlp(model, block, dout.size(0)))
        return matmul_nn_rounded(dy, block.down.weight.operand());
      auto d = matmul_nn(dy, block.down.weight.operand());
      if (block.down.lora.empty() || !model.adapters_on) return d;
      auto& slice = block.down.lora[0];
      auto du = matmul_nn(dy, slice.b.operand()).mul_(model.lora_scale);
      d.addmm_(du, block.down.lora_a.operand());
      if (slice.b.grad.defined()) accumulate_tn(slice.b.grad, dy, t.lora[3], model.lora_scale);
      t.lora[3] = du;
      return d;
    }();
    act = swiglu_backward(dact, t.gate_up);  // gate_up is its own gradient from here on
    if (block.down.bias.grad.defined()) block.down.bias.grad.add_(dout.sum(0));
    accumulate_weight(block.down.weight, dy, act);
    if (block.down.lora_a.grad.defined() && model.adapters_on)
      accumulate_tn(block.down.lora_a.grad, t.lora[3], act);
    act = at::Tensor();
  }
  const auto normed_y = [&] {
    return rms_norm_again(t.y, block.mlp_norm.value, t.rstd_y,
                          flows_into(model, block.gate_up, t.y.size(0)));
  };
  const auto dnormed_y = apply_backward(model, block.gate_up, t.gate_up, normed_y, t.lora[2]);
  t.gate_up = at::Tensor();
  rms_norm_backward(dnormed_y, t.y, block.mlp_norm.value, t.rstd_y, dout,
                    block.mlp_norm.grad);  // dout is dy now

  // y = x + o(attention(rope(qkv(norm(x)))))
  const auto dattended = apply_backward(
      model, block.o, dout, [&] { return t.attended; }, t.lora[1]);
  auto dqkv = attention_backward(dattended, t.qkv, t.attended, segments, model.head_shape(layer),
                                 t.attention);
  if (c.turned(layer))
    model.rope.turn(dqkv, positions, c.num_attention_heads + c.num_key_value_heads, -1);
  if (block.q_norm.value.defined())
    head_norm_backward(dqkv, block.q_norm.value, block.k_norm.value, model.head_shape(layer),
                       t.qk_norm, block.q_norm.grad, block.k_norm.grad);
  const auto normed_x = [&] {
    return rms_norm_again(t.x, block.attention_norm.value, t.rstd_x,
                          flows_into(model, block.qkv, t.x.size(0)));
  };
  const auto dnormed_x = apply_backward(model, block.qkv, dqkv, normed_x, t.lora[0]);
  rms_norm_backward(dnormed_x, t.x, block.attention_norm.value, t.rstd_x, dout,
                    block.attention_norm.grad);
  return dout;
}

/// [T,C], f32 from an embedding held in bf16.
at::Tensor embedded(const Model& model, const at::Tensor& ids) {
  const auto x = at::embedding(model.embed.value, ids.to(model.device()));
  return x.scalar_type() == at::kBFloat16 ? x.to(at::kFloat) : x;
}

}  // namespace

at::Tensor logits_of(const Model& model, const at::Tensor& x) {
  const auto& output = model.output();
  const auto eps = model.config.rms_norm_eps;
  if (x.is_cuda() && cuda::takes_norm_along(x, output.operand()))
    return cuda::norm_matmul_nt(x, model.norm.value, eps, output.operand(), at::kFloat);
  return matmul_nt_f32(rms_norm(x, model.norm.value, eps, nullptr, output.input_type()),
                       output.operand());
}

at::Tensor forward(const Model& model, const at::Tensor& ids, const at::Tensor& positions,
                   const Attend& attend) {
  const auto where = positions.to(model.device());
  auto x = embedded(model, ids);
  for (std::size_t i = 0; i < model.blocks.size(); ++i)
    x = block_forward(
        model, i, x, where, [&](const at::Tensor& qkv) { return attend(i, qkv); }, nullptr, true);
  return x;
}

at::Tensor forward(const Model& model, const at::Tensor& ids, const at::Tensor& positions,
                   const Segments& segments, Trace* trace) {
  const auto where = positions.to(model.device());
  auto x = embedded(model, ids);
  if (trace) trace->blocks.resize(model.blocks.size());
  for (std::size_t i = 0; i < model.blocks.size(); ++i) {
    const bool whole = trace && !trace->checkpointed;
    if (trace && !whole) trace->blocks[i].x = x;
    x = packed_block(model, i, x, where, segments, whole ? &trace->blocks[i] : nullptr);
  }
  return x;
}

void backward(Model& model, const at::Tensor& ids, const at::Tensor& positions,
              const Segments& segments, Trace trace, at::Tensor dx) {
  const auto where = positions.to(model.device());
  for (std::size_t i = model.blocks.size(); i-- > 0;) {
    if (trace.checkpointed) {
      const auto x = trace.blocks[i].x;
      packed_block(model, i, x, where, segments, &trace.blocks[i]);
    }
    dx = block_backward(model, i, where, segments, std::move(trace.blocks[i]), dx);
    trace.blocks[i] = {};
  }
  if (model.embed.grad.defined()) model.embed.grad.index_add_(0, ids.to(model.device()), dx);
}

}  // namespace hone::rl
