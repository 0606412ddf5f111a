"""What a call takes of memory beside its results."""

import tracemalloc


def extra_memory(call):
    """Most memory in use during the call, beyond its results. [bytes]"""
    call()
    tracemalloc.start()
    try:
        results = call()
        held, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    del results
    return most - held
