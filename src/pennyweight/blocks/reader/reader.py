"""The reader: an encoder with two heads, one that answers and one that says which words could stand at a place."""

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from pennyweight.blocks.reader.bert import Bert, BertConfig
from pennyweight.blocks.reader.head import AnswerHead, Logits


class WordHead(nn.Module):
    """Logits of words at places, as in BERT: the word embeddings are used a second time."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.map = nn.Linear(config.width, config.width)
        self.norm = nn.LayerNorm(config.width, eps=config.eps)
        self.bias = nn.Parameter(self.map.weight.new_zeros(config.vocab_size))

    def forward(
        self, states: Float[Tensor, "*places width"], words: Float[Tensor, "vocab width"]
    ) -> Float[Tensor, "*places vocab"]:
        """Logits of all words."""
        return F.linear(self.norm(F.gelu(self.map(states))), words, self.bias)


class Reader(nn.Module):
    """Encoder and heads. All that later work teaches is a head more on these states."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.encoder = Bert(config)
        self.answers = AnswerHead(config.width)
        self.words = WordHead(config)

    def forward(
        self,
        tokens: Int[Tensor, "batch time"],
        kinds: Int[Tensor, "batch time"],
        real: Bool[Tensor, "batch time"],
        inside: Bool[Tensor, "batch time"],
    ) -> Logits:
        """The logits of every answer of windows."""
        logits: Logits = self.answers(self.encoder(tokens, kinds, real), inside)
        return logits
