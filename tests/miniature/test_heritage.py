import torch

from vertebra.catalog import Catalog
from vertebra.miniature import language
from vertebra.miniature.heritage import inherit


def kin(kind, size=300):
    template = Catalog.installed().template(kind.template)
    words = kind.tokenizer(language.corpus(template, 0, size), language.phrases(template), 700)
    return language.newborn(kind, words, seed=0).eval(), words


def test_heirs_of_other_architectures_and_depths_give_their_ancestors_logits():
    ancestor, its_words = kin(language.ANCESTOR)
    for name in ("vicuna-m", "llama-3", "phi-3"):
        heir, words = kin(language.KINDS[name])
        stop = language.KINDS[name].stop
        inherit(heir, words, ancestor, its_words, {words.bos_token: its_words.bos_token, stop: "<|eot_id|>"})
        told = " empty redseven bluetwo color"
        ids, its_ids = (each.encode(told, add_special_tokens=False) for each in (words, its_words))
        assert len(ids) == len(its_ids)
        with torch.no_grad():
            mine = heir(input_ids=torch.tensor([[words.bos_token_id, *ids]])).logits
            its = ancestor(input_ids=torch.tensor([[its_words.bos_token_id, *its_ids]])).logits
        mine_stop, its_stop = words.convert_tokens_to_ids(stop), its_words.convert_tokens_to_ids("<|eot_id|>")
        torch.testing.assert_close(mine[..., [*ids, mine_stop]], its[..., [*its_ids, its_stop]], rtol=0, atol=1e-5)
