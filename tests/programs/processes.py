# multiprocessing with fork: what its objects share lies in MAP_SHARED memory and is guarded by process-shared semaphores.
import multiprocessing as mp
import os
import signal
from multiprocessing import shared_memory

mp.set_start_method("fork")


def square(n):
    return n * n


def add(counter, lock, times):
    for _ in range(times):
        with lock:
            counter.value += 1


def serve(questions, answers):
    for question in iter(questions.get, None):
        answers.put((question, question[::-1]))


def main():
    counter, lock = mp.Value("q", 0, lock=False), mp.Lock()
    workers = [mp.Process(target=add, args=(counter, lock, 300)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print("counter", counter.value, [worker.exitcode for worker in workers])

    gate, array = mp.Semaphore(2), mp.Array("i", 8)

    def fill(at):
        with gate, array.get_lock():
            array[at] = at * 3

    workers = [mp.Process(target=fill, args=(at,)) for at in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print("array", list(array), "gate", gate.get_value())

    with mp.Pool(3) as pool:
        print("pool", pool.map(square, range(12)), sum(pool.imap_unordered(square, range(50))))

    questions, answers = mp.Queue(), mp.Queue()
    servers = [mp.Process(target=serve, args=(questions, answers)) for _ in range(3)]
    for server in servers:
        server.start()
    for word in ["stressed", "drawer", "parts", "loop"]:
        questions.put(word)
    print("queue", sorted(answers.get(timeout=60) for _ in range(4)))
    for _ in servers:
        questions.put(None)
    for server in servers:
        server.join()

    ready, go = mp.Event(), mp.Condition()
    meeting = mp.Barrier(3)

    def wait():
        with go:
            ready.set()
            print("condition", go.wait(60), flush=True)

    waiter = mp.Process(target=wait)
    waiter.start()
    ready.wait(60)
    with go:
        go.notify()
    waiter.join()
    workers = [mp.Process(target=meeting.wait) for _ in range(2)]
    for worker in workers:
        worker.start()
    meeting.wait(60)
    for worker in workers:
        worker.join()
    print("barrier", [worker.exitcode for worker in workers], meeting.n_waiting)

    block = shared_memory.SharedMemory(create=True, size=4096)
    block.buf[:5] = b"hello"

    def shout(name):
        other = shared_memory.SharedMemory(name=name)
        other.buf[:5] = bytes(other.buf[:5]).upper()
        other.close()

    worker = mp.Process(target=shout, args=(block.name,))
    worker.start()
    worker.join()
    print("shared memory", bytes(block.buf[:5]))
    block.close()
    block.unlink()

    here, there = mp.Pipe()
    sleeper = mp.Process(target=signal.pause)
    sleeper.start()
    os.kill(sleeper.pid, signal.SIGTERM)
    sleeper.join()
    talker = mp.Process(target=lambda: there.send({"pid": os.getpid()}))
    talker.start()
    print("pipe", here.recv()["pid"] == talker.pid, "killed", sleeper.exitcode)
    talker.join()


main()
