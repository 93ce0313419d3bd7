"""What a model of transformers is made of, where it is made as Llama is: its parts and the matrices that they apply."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedModel

from reward.fused import PARTS, Shape

ROPES = ("default", "linear", "llama3", "yarn")
"""Kinds of rotary embedding in which a position's angles hang on nothing but the position."""


def plain_model(model: Any) -> PreTrainedModel:
    """The model of transformers inside what PEFT wraps around it."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def effective(module: Any) -> tuple[Tensor, Tensor | None]:
    """Matrix (out, in) and bias of a linear layer, active low-rank adapters of PEFT included.

    Raises:
        NotImplementedError: it is neither an ordinary linear layer nor one with ordinary adapters.
    """
    if type(module) is nn.Linear:
        return module.weight.detach(), None if module.bias is None else module.bias.detach()
    if hasattr(module, "product"):  # adapters that are switched per role
        matrix, bias = module.product()
        return matrix, bias
    base = getattr(module, "base_layer", None)
    if type(base) is not nn.Linear or not hasattr(module, "get_delta_weight") or getattr(module, "lora_variant", None):
        raise NotImplementedError(f"{type(module).__name__} is not a product with one matrix")
    matrix, bias = effective(base)
    if module.merged and module.disable_adapters:
        raise NotImplementedError("adapters are merged and yet switched off")
    active = (
        [] if module.merged or module.disable_adapters else [a for a in module.active_adapters if a in module.lora_A]
    )
    if any(module.lora_bias.get(name) for name in active):
        raise NotImplementedError("an adapter has a bias")
    for name in active:
        matrix = matrix + module.get_delta_weight(name).detach()
    return matrix, bias


def backbone_of(plain: Any) -> Any:
    """The part below the head, once all parts are known to be of the kind that is computed here."""
    backbone = getattr(plain, "model", None)
    if not isinstance(backbone, nn.Module) or (_parts(plain), _parts(backbone)) != (
        {"model", "lm_head"},
        {"embed_tokens", "layers", "norm", "rotary_emb"},
    ):
        raise NotImplementedError(f"{type(plain).__name__} is not put together like Llama")
    known: Any = backbone
    if (
        known.rotary_emb.rope_type not in ROPES
        or type(known.embed_tokens) is not nn.Embedding
        or not hasattr(known.norm, "variance_epsilon")
        or not all(_fits(layer) for layer in known.layers)
    ):
        raise NotImplementedError(f"{type(plain).__name__} has other layers than Llama")
    return known


def _parts(module: nn.Module) -> set[str]:
    return {name for name, _ in module.named_children()}


def _fits(layer: nn.Module) -> bool:
    """Whether a layer has the parts of Llama's and no others."""
    if _parts(layer) != PARTS[""] or any(_parts(layer.get_submodule(p)) != PARTS[p] for p in ("self_attn", "mlp")):
        return False
    norms = (layer.input_layernorm, layer.post_attention_layernorm)
    activation = type(layer.get_submodule("mlp.act_fn")).__name__
    return activation in {"SiLU", "SiLUActivation"} and all(hasattr(norm, "variance_epsilon") for norm in norms)


def shape_of(layer: Any) -> Shape:
    """Sizes of the heads of a layer."""
    size = layer.self_attn.head_dim
    return Shape(
        heads=layer.self_attn.q_proj.out_features // size,
        key_heads=layer.self_attn.k_proj.out_features // size,
        head_size=size,
        scale=layer.self_attn.scaling,
        eps=(layer.input_layernorm.variance_epsilon, layer.post_attention_layernorm.variance_epsilon),
    )
