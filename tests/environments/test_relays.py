"""Each relay carries connections in an image without the other languages."""

import pytest

from cooperbench.environments import DockerEnvironment
from cooperbench.errors import SandboxError
from cooperbench.testing.conformance.programs import CLIENT, count_bytes

HIDE = "for name in {names}; do file=$(command -v $name) && mv $(readlink -f $file) /opt/other-$name; rm -f $file; done"


@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.parametrize(
    ("image", "hidden"),
    [("base", "python3"), ("node", "python3 perl")],
    ids=["perl", "node"],
)
def test_a_relay_in_each_language(image: str, hidden: str) -> None:
    with DockerEnvironment(f"cooperbench-test/{image}", cwd="/", network="none") as environment:
        environment.execute(HIDE.format(names=hidden))
        environment.write_file("/tmp/client.py", CLIENT.encode())
        service = environment.serve(count_bytes)
        sizes = (0, 1, 2_000_000, 10)
        done = environment.execute(f"/opt/other-python3 /tmp/client.py {service.port} {' '.join(map(str, sizes))}")
        assert sorted(done["output"].split()) == sorted(f"{size}:{size + 6}" for size in sizes)
        with pytest.raises(SandboxError, match=r"(?i)address.*in use|EADDRINUSE"):
            environment.serve(count_bytes, port=service.port)
