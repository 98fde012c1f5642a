"""Vision-language models of a few thousand weights, made here, for the local judge: real classes of transformers, no download."""

import json

import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import (
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    PreTrainedTokenizerFast,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
)
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

YES = '{"realistic": true, "reason": "a lid opens"}'
NO = '{"realistic": false, "reason": "it bursts"}'
SPECIAL = ["<end>", "<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>", "<|vision_start|>",
           "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
TEMPLATE = ("{% for message in messages %}{% for part in message['content'] %}{% if part['type'] == 'image' %}IMAGE"
            "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endfor %}{% if add_generation_prompt %} Answer:{% endif %}")


def tokenizer(image: str) -> PreTrainedTokenizerFast:
    """Two whole answers as one token each, printable characters, and what the models' processors put in."""
    words = [*SPECIAL, "?", YES, NO, "\n", *map(chr, range(32, 127))]
    inner = Tokenizer(models.WordLevel({word: i for i, word in enumerate(dict.fromkeys(words))}, unk_token="?"))
    inner.pre_tokenizer = pre_tokenizers.Split(Regex("[\\s\\S]"), "isolated")
    made = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<end>", pad_token="<end>", unk_token="?",
                                   additional_special_tokens=SPECIAL[1:])
    made.chat_template = TEMPLATE.replace("IMAGE", image)
    return made


TEXT = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2,
        "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}


def saved(model, folder):
    model.generation_config.eos_token_id = 0
    model.save_pretrained(folder)
    return model


def save_idefics3(folder, seed=0):
    """SmolVLM's architecture: pictures of 32 pixels a side, 4 tokens each."""
    torch.manual_seed(seed)
    (words := tokenizer("<image>")).save_pretrained(folder)
    Idefics3ImageProcessorPil(size={"longest_edge": 32}, max_image_size={"longest_edge": 32},
                              do_image_splitting=False).save_pretrained(folder)
    (folder / "processor_config.json").write_text(json.dumps({"processor_class": "Idefics3Processor", "image_seq_len": 4}))
    config = Idefics3Config(
        vision_config={"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
                       "image_size": 32, "patch_size": 8},
        text_config={**TEXT, "model_type": "llama", "vocab_size": len(words), "max_position_embeddings": 4096},
        scale_factor=2, image_token_id=words.convert_tokens_to_ids("<image>"), pad_token_id=0, eos_token_id=0)
    return saved(Idefics3ForConditionalGeneration(config), folder)


def save_qwen2_vl(folder, seed=0):
    """Qwen2-VL's: its processor wants one for videos as well, which wants torchvision."""
    torch.manual_seed(seed)
    (words := tokenizer("<|vision_start|><|image_pad|><|vision_end|>")).save_pretrained(folder)
    Qwen2VLImageProcessorPil(min_pixels=28 * 28, max_pixels=28 * 28).save_pretrained(folder)
    ids = {f"{name}_token_id": words.convert_tokens_to_ids(word) for name, word in (
        ("image", "<|image_pad|>"), ("video", "<|video_pad|>"), ("vision_start", "<|vision_start|>"),
        ("vision_end", "<|vision_end|>"))}
    config = Qwen2VLConfig(
        vision_config={"depth": 1, "embed_dim": 16, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2, "patch_size": 14},
        text_config={**TEXT, "vocab_size": len(words),
                     "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0}}, **ids)
    return saved(Qwen2VLForConditionalGeneration(config), folder)


def teach(judge, lessons, steps=40, rate=0.01):
    """Fit a judge's model to answer each (pictures, text) of `lessons` with that text and nothing more."""
    from puppetmaster_core.curation.local_judge import inputs_for

    tokens = judge.processor.tokenizer
    optimizer = torch.optim.Adam(judge.network.parameters(), rate)
    judge.network.train()
    for step in range(steps):
        pictures, text = lessons[step % len(lessons)]
        inputs = inputs_for(judge.processor, pictures)
        answer = torch.tensor([[tokens.convert_tokens_to_ids(text), tokens.eos_token_id]])
        length = inputs["input_ids"].shape[1]
        inputs["input_ids"] = torch.cat([inputs["input_ids"], answer], 1)
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        if "mm_token_type_ids" in inputs:
            inputs["mm_token_type_ids"] = torch.cat([inputs["mm_token_type_ids"], torch.zeros_like(answer)], 1)
        scores = judge.network(**inputs).logits[0, length - 1 : length + 1]
        loss = torch.nn.functional.cross_entropy(scores, answer[0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    judge.network.eval()
    return float(loss.detach())
