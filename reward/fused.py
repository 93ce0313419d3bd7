"""A Llama-style decoder layer as one step of automatic differentiation, several times cheaper outside matrix products.

Stock layers spend, on a CPU that is quick at bfloat16 products, most of their time around them: casting weights and
activations, normalising in many passes, copying for every head. Here a whole layer is one `torch.autograd.Function`:

    n₁ = norm(x)          q, k, v = split(n₁ [W_q|W_k|W_v]ᵀ), q and k turned by their positions
    y  = x + attend(q, k, v) W_oᵀ
    n₂ = norm(y)          g, u = split(n₂ [W_g|W_u]ᵀ)
    z  = y + (silu(g) · u) W_dᵀ

Of the last layer only the states that are asked for are computed, from all keys and values. Weights are joined and
cast once per optimizer step, the residual stream stays in float32, and backward keeps x, y, the
heads, g and u, and computes norms and activations again. `fuse` replaces the forward of layers that are built exactly
so (Llama, Mistral, Qwen2, SmolLM2, …) and leaves the weights where they are; `reward.model` then tries it against the
stock layers before it is used. Ordinary inputs, without a tiling, still go through the stock layer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from reward.attention import Tiling, attend, attend_backward

PARTS = {
    "": {"self_attn", "mlp", "input_layernorm", "post_attention_layernorm"},
    "self_attn": {"q_proj", "k_proj", "v_proj", "o_proj"},
    "mlp": {"gate_proj", "up_proj", "down_proj", "act_fn"},
}
"""Submodules of the layer that this module computes; a layer with other ones is left alone."""
ROWS = 256
"""Tokens that are normalised together, so that intermediate results stay in the cache."""


_steps = [0]
"""Steps that optimizers took in this process: fused ones change weights without a new ``_version``."""


def _count_step(*_: Any) -> None:
    _steps[0] += 1


register_optimizer_step_post_hook(_count_step)


@dataclass(frozen=True)
class Shape:
    """Sizes of a layer: query heads, key heads, size D of a head, factor on the logits, and ε of both norms."""

    heads: int
    key_heads: int
    head_size: int
    scale: float
    eps: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Weights:
    """A layer's matrices as matrix products take them: joined where they share their input, in one number format."""

    qkv: Tensor
    qkv_bias: Tensor | None
    out: Tensor
    gate_up: Tensor
    down: Tensor


def fuse(classifier: PreTrainedModel) -> None:
    """Let the decoder layers of a model take packed rows in one step.

    Raises:
        NotImplementedError: a layer is not of the kind that is computed here; then nothing has changed.
    """
    layers = getattr(getattr(classifier, classifier.base_model_prefix), "layers", None)
    if not isinstance(layers, nn.ModuleList) or not all(fits(layer) for layer in layers):
        raise NotImplementedError(f"the layers of {type(classifier).__name__} are not computed in one step")
    for layer in layers:
        layer.forward = fused_forward(layer, last=layer is layers[-1])


def unfuse(classifier: PreTrainedModel) -> None:
    """Undo `fuse`."""
    for layer in getattr(classifier, classifier.base_model_prefix).layers:
        del layer.forward


def fits(layer: nn.Module) -> bool:
    """Whether a layer has the parts that are computed here, and no others."""
    for path, names in PARTS.items():
        if {name for name, _ in layer.get_submodule(path).named_children()} != names:
            return False
    attention: Any = layer.self_attn
    mlp: Any = layer.mlp
    unbiased = (attention.o_proj, mlp.gate_proj, mlp.up_proj, mlp.down_proj)
    return (
        all(type(each) is nn.Linear for each in (attention.q_proj, attention.k_proj, attention.v_proj, *unbiased))
        and all(each.bias is None for each in unbiased)
        and all(hasattr(norm, "variance_epsilon") for norm in (layer.input_layernorm, layer.post_attention_layernorm))
        and type(mlp.act_fn).__name__ in {"SiLU", "SiLUActivation"}
    )


def fused_forward(layer: Any, *, last: bool) -> Callable[..., Any]:
    """A layer's forward that takes packed rows in one step and leaves all else to the stock one.

    That of the last layer gives the states that are asked for, (1, U, d), where the tiling says so.
    """
    stock = layer.forward
    attention, mlp = layer.self_attn, layer.mlp
    norms = (layer.input_layernorm, layer.post_attention_layernorm)
    linears = (*(getattr(attention, f"{name}_proj") for name in "qkvo"), mlp.gate_proj, mlp.up_proj, mlp.down_proj)
    size = attention.head_dim
    shape = Shape(
        heads=attention.q_proj.out_features // size,
        key_heads=attention.k_proj.out_features // size,
        head_size=size,
        scale=attention.scaling,
        eps=(norms[0].variance_epsilon, norms[1].variance_epsilon),
    )
    ready: dict[str, Any] = {}

    def weights(parameters: tuple[Tensor, ...], dtype: torch.dtype) -> Weights:
        """The joined weights; made anew after a step of any optimizer, or when a parameter was changed in place."""
        state = (dtype, _steps[0], *((p.data_ptr(), p._version) for p in parameters))
        if ready.get("state") != state:
            ready["weights"], ready["state"] = join(parameters, dtype), state
        joined: Weights = ready["weights"]
        return joined

    def forward(
        hidden_states: Tensor,
        *args: Any,
        tiling: Tiling | None = None,
        position_embeddings: tuple[Tensor, Tensor] | None = None,
        **kwargs: Any,
    ) -> Any:
        if tiling is None or position_embeddings is None or hidden_states.device.type != "cpu":
            return stock(hidden_states, *args, tiling=tiling, position_embeddings=position_embeddings, **kwargs)
        if last and tiling.last:
            tiling = tiling.last
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else hidden_states.dtype
        parameters = (
            *(n.weight for n in norms),
            *(each.weight for each in linears),
            *(each.bias for each in linears[:3]),
        )
        joined = weights(tuple(p.detach() for p in parameters[2:] if p is not None), dtype)

        def run(hidden: Tensor) -> Any:
            return _Layer.apply(hidden, *position_embeddings, shape, joined, tiling, *parameters)  # type: ignore[no-untyped-call]

        if layer.training and getattr(layer, "gradient_checkpointing", False):  # as the stock forward's wrapper does it
            return checkpoint(run, hidden_states, use_reentrant=False)
        return run(hidden_states)

    return forward


def join(parameters: tuple[Tensor, ...], dtype: torch.dtype) -> Weights:
    """q, k, v, out, gate, up, down matrices and, if there are any, the biases of q, k, v → `Weights`."""
    query, key, value, out, gate, up, down, *biases = parameters
    return Weights(
        qkv=torch.cat((query, key, value)).to(dtype),
        qkv_bias=torch.cat(biases).to(dtype) if biases else None,
        out=out.to(dtype),
        gate_up=torch.cat((gate, up)).to(dtype),
        down=down.to(dtype),
    )


class _Layer(torch.autograd.Function):
    """(1, L, d) → (1, L, d), or (1, U, d) where the tiling asks for these; see the module's docstring."""

    @staticmethod
    def forward(  # noqa: PLR0917 (apply takes positions only)
        ctx: Any,
        hidden: Tensor,
        cos: Tensor,
        sin: Tensor,
        shape: Shape,
        weights: Weights,
        tiling: Tiling,
        norm1: Tensor,
        norm2: Tensor,
        *parameters: Tensor | None,
    ) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            dtype = weights.qkv.dtype
            before = hidden[0]
            normed, size1 = normalise(before, norm1, shape.eps[0], dtype)
            query, key, value = split_heads(linear(normed, weights.qkv, weights.qkv_bias), cos[0], sin[0], shape)
            asked = tiling.asked
            if asked is not None:
                query = query[:, asked]
            mixed = join_heads(attend(query, key, value, tiling))
            own = before if asked is None else before[asked]
            between = torch.mm(mixed, weights.out.T).to(before.dtype).add_(own)
            normed, size2 = normalise(between, norm2, shape.eps[1], dtype)
            gate_up = torch.mm(normed, weights.gate_up.T)
            gate, up = gate_up.chunk(2, dim=1)
            active = nn.functional.silu(gate).mul_(up)
            after = torch.mm(active, weights.down.T).to(before.dtype).add_(between)
        ctx.save_for_backward(before, between, size1, size2, query, key, value, mixed, gate_up, cos, sin, norm1, norm2)
        ctx.shape, ctx.weights, ctx.tiling = shape, weights, tiling
        ctx.dtypes = [None if p is None else p.dtype for p in parameters]
        return after[None]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        before, between, size1, size2, query, key, value, mixed, gate_up, cos, sin, norm1, norm2 = ctx.saved_tensors
        shape, weights = ctx.shape, ctx.weights
        dtype = weights.qkv.dtype
        d_after = grad[0]

        narrow = d_after.to(dtype)
        d_active = torch.mm(narrow, weights.down)
        gate, up = gate_up.chunk(2, dim=1)
        active = nn.functional.silu(gate)
        d_gate_up = torch.empty_like(gate_up)
        d_gate, d_up = d_gate_up.chunk(2, dim=1)
        torch.mul(d_active, active, out=d_up)
        torch.ops.aten.silu_backward.grad_input(d_active.mul_(up), gate, grad_input=d_gate)
        d_down = torch.mm(narrow.T, active.mul_(up))
        d_wide = torch.mm(d_gate_up.T, normalised(between, size2, norm2, dtype))
        d_between, d_norm2 = normalise_backward(torch.mm(d_gate_up, weights.gate_up), between, size2, norm2)
        d_between += d_after

        narrow = d_between.to(dtype)
        d_mixed = torch.mm(narrow, weights.out).view(len(narrow), shape.key_heads, -1, shape.head_size).transpose(0, 1)
        d_out = torch.mm(narrow.T, mixed)
        d_query, d_key, d_value = attend_backward(d_mixed.contiguous(), query, key, value, ctx.tiling)
        asked = ctx.tiling.asked
        if asked is not None:
            d_query = d_query.new_zeros(len(key), key.shape[1], *d_query.shape[2:]).index_copy_(1, asked, d_query)
        d_qkv = split_heads_backward(d_query, d_key, d_value, cos[0], sin[0], shape)
        d_joined = torch.mm(d_qkv.T, normalised(before, size1, norm1, dtype))
        d_before, d_norm1 = normalise_backward(torch.mm(d_qkv, weights.qkv), before, size1, norm1)
        if asked is None:
            d_before += d_between
        else:
            d_before.index_add_(0, asked, d_between)

        sizes = [shape.heads * shape.head_size, *[shape.key_heads * shape.head_size] * 2]
        biases: tuple[Tensor | None, ...] = (None,) * 3
        if weights.qkv_bias is not None:
            biases = torch.split_with_sizes(d_qkv.sum(dim=0, dtype=d_before.dtype), sizes)
        matrices = (*torch.split_with_sizes(d_joined, sizes), d_out, *d_wide.chunk(2), d_down, *biases)
        gradients = [None if m is None else m.to(d) for m, d in zip(matrices, ctx.dtypes, strict=True)]
        return d_before[None], None, None, None, None, None, d_norm1, d_norm2, *gradients


def linear(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """(L, in) → (L, out)."""
    return torch.mm(inputs, weight.T) if bias is None else torch.addmm(bias, inputs, weight.T)


def normalise(inputs: Tensor, weight: Tensor, eps: float, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """RMS norm (Zhang & Sennrich 2019, arXiv 1910.07467, eq. 4) of (L, d), and its 1/√(mean x² + ε), (L, 1)."""
    wide = torch.promote_types(inputs.dtype, torch.float32)
    mean = torch.linalg.vector_norm(inputs, dim=1, keepdim=True, dtype=wide).square_().div_(inputs.shape[1])
    inverse = mean.add_(eps).rsqrt_()
    return normalised(inputs, inverse, weight, dtype), inverse


def normalised(inputs: Tensor, inverse: Tensor, weight: Tensor, dtype: torch.dtype) -> Tensor:
    """Inputs (L, d) · inverse (L, 1) · weight (d) in a number format."""
    out = torch.empty_like(inputs, dtype=dtype)
    for rows in _pieces(len(inputs)):
        out[rows] = (inputs[rows] * inverse[rows]).mul_(weight)
    return out


def normalise_backward(grad: Tensor, inputs: Tensor, inverse: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Derivatives of the RMS norm by its inputs (L, d) and its weight (d), given that by its result (L, d).

    With x̂ = x/rms: dx = (g·w − x̂ · mean(g·w·x̂)) / rms and dw = Σ g·x̂.
    """
    d_inputs = torch.empty_like(inputs)
    d_weight = torch.zeros_like(weight, dtype=inverse.dtype)
    for rows in _pieces(len(inputs)):
        unit = inputs[rows] * inverse[rows]
        pull = grad[rows].to(unit.dtype)
        product = pull * unit
        d_weight += product.sum(dim=0)
        along = torch.mv(product, weight.to(unit.dtype)).div_(inputs.shape[1])
        d_inputs[rows] = pull.mul_(weight).addcmul_(unit, along[:, None], value=-1).mul_(inverse[rows])
    return d_inputs, d_weight.to(weight.dtype)


def _pieces(length: int) -> list[slice]:
    return [slice(start, start + ROWS) for start in range(0, length, ROWS)]


def split_heads(qkv: Tensor, cos: Tensor, sin: Tensor, shape: Shape) -> tuple[Tensor, Tensor, Tensor]:
    """(L, (H + 2 H_kv) D) → query (H_kv, L, G, D) times the scale, key (H_kv, L, D), value (H_kv, L, D).

    Query and key are turned by their positions: x cos + (−x₂, x₁) sin with cos and sin (L, D) (Su et al. 2021, arXiv
    2104.09864, eq. 34, in the layout of halves).
    """
    heads = qkv.view(len(qkv), -1, shape.head_size)
    query, key, value = torch.split_with_sizes(heads, [shape.heads, shape.key_heads, shape.key_heads], dim=1)
    query, key = (turn(part, cos, sin) for part in (query, key))
    by_key_head = (
        query.mul_(shape.scale).to(qkv.dtype).view(len(qkv), shape.key_heads, -1, shape.head_size).transpose(0, 1)
    )
    return by_key_head.contiguous(), key.to(qkv.dtype).transpose(0, 1).contiguous(), value.transpose(0, 1).contiguous()


def split_heads_backward(  # noqa: PLR0917 (three derivatives in the order of `split_heads`)
    d_query: Tensor, d_key: Tensor, d_value: Tensor, cos: Tensor, sin: Tensor, shape: Shape
) -> Tensor:
    """Derivative of `split_heads` by qkv, given those by query, key and value; in the number format of d_query."""
    query = turn_backward(d_query.transpose(0, 1).flatten(1, 2), cos, sin).mul_(shape.scale)
    key = turn_backward(d_key.transpose(0, 1), cos, sin)
    return torch.cat([part.flatten(1).to(d_query.dtype) for part in (query, key, d_value.transpose(0, 1))], dim=1)


def join_heads(out: Tensor) -> Tensor:
    """(H_kv, L, G, D) → (L, H D)."""
    return out.transpose(0, 1).flatten(1)


def turn(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """X cos + (−x₂, x₁) sin for x (L, heads, D), in the number format of cos (L, D)."""
    half = heads.shape[-1] // 2
    wide = heads.to(cos.dtype)
    cos, sin = cos[:, None], sin[:, None]
    out = wide * cos
    out[..., :half].addcmul_(wide[..., half:], sin[..., :half], value=-1)
    out[..., half:].addcmul_(wide[..., :half], sin[..., half:])
    return out


def turn_backward(grad: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Transpose of `turn`."""
    half = grad.shape[-1] // 2
    wide = grad.to(cos.dtype)
    cos, sin = cos[:, None], sin[:, None]
    out = wide * cos
    out[..., :half].addcmul_(wide[..., half:], sin[..., half:])
    out[..., half:].addcmul_(wide[..., :half], sin[..., :half], value=-1)
    return out
