"""What the tests of text data modules share."""

import torch

SMALL = {"vectors": "none", "embedding_size": 4, "repair_share": 0.2, "val_share": 0.2}


def text_of(module, index):
    batch = module.fetch(torch.tensor([index]))
    return module.vocabulary.decode(batch.inputs[0, : int(batch.lengths)])
