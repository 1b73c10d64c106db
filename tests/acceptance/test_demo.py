"""The command that the README shows: a question, a tool call, a PDF."""

from __future__ import annotations

from pathlib import Path

from tests.studio import Studio


def test_the_demo_asks_a_real_model_has_it_calculate_and_writes_a_pdf(studio: Studio, tmp_path: Path) -> None:
    target = tmp_path / "out" / "demo.pdf"
    said = studio.manage("demo", "--output", str(target))
    assert f"already runs at {studio.url}" in said
    assert 'Model  calls calculator.evaluate {"expression": "1234 * 5678"}' in said
    assert '"result": "7006652"' in said
    assert f"PDF    {target}" in said
    content = target.read_bytes()
    assert content.startswith(b"%PDF-")
    assert content.rstrip().endswith(b"%%EOF")
    assert "demo-" not in studio.manage("apikeys", "list"), "its key outlived it"
    for plugin in ("local-llama", "pdf-export"):
        studio.http.post(f"/api/plugins/{plugin}/unload")
