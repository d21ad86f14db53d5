"""The callbacks, with the real libraries where they are installed."""

import pytest
import torch
from conftest import data, loader, net
from torch import nn


def test_a_lightning_fit(tmp_path):
    lightning = pytest.importorskip("lightning.pytorch")
    from nanprobe.lightning import NanprobeCallback

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = net()

        def training_step(self, batch, _):
            x, y = batch
            return nn.functional.cross_entropy(self.net(x), y)

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=1e-3)

    callback = NanprobeCallback(steps=10)
    trainer = lightning.Trainer(
        max_epochs=3, callbacks=[callback], logger=False, enable_checkpointing=False, enable_progress_bar=False,
        default_root_dir=tmp_path, accelerator="cpu",
    )  # fmt: skip
    trainer.fit(Module(), loader())
    value = callback.watch.capture(tmp_path / "capture")
    assert value["steps"] == value["backwards"] == 10
    assert value["uncleared"] == 0
    assert value["optimizer"]["missing"] == []
    assert value["loss_location"]["file"].endswith("test_callbacks.py")


def test_a_hugging_face_trainer(tmp_path):
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    from nanprobe.transformers import NanprobeCallback

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net()

        def forward(self, values, labels=None):
            logits = self.net(values)
            return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}

    x, y = data().tensors
    rows = [{"values": x[i], "labels": y[i]} for i in range(len(x))]
    callback = NanprobeCallback(steps=10)
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path),
        max_steps=15,
        per_device_train_batch_size=10,
        report_to=[],
        use_cpu=True,
        save_strategy="no",
    )
    transformers.Trainer(Model(), arguments, train_dataset=rows, callbacks=[callback]).train()
    value = callback.watch.capture(tmp_path / "capture")
    assert value["backwards"] >= 10
    assert value["optimizer"]["missing"] == []
    assert value["criterion"]["outputs"] == [10, 3]
