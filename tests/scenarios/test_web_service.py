"""A web service: one model in a threaded server, many clients at once, every answer bit for bit the right one."""

import json
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from scenario_models import X, small_net

from minitorch_cnn.gradients.grad_cam import grad_cam

CLIENTS, REQUESTS = 8, 400


def predict(model, x):
    return model.predict(x)


def saliency(model, x):
    """dL/dx, where L is the score of the predicted class."""
    y = model.forward(x)
    return model.backward(np.eye(y.shape[1], dtype=y.dtype)[y.argmax(axis=1)], input_gradient=True)


def heat(model, x):
    return grad_cam(model, x[0], "max_pool2d_1")


SERVICES = {"/predict": predict, "/saliency": saliency, "/grad-cam": heat}


@pytest.fixture
def server():
    """serve(model) -> the server's address; a request is JSON of images, an answer the result as bytes in hex."""
    running = []

    def serve(model):
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                images = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                try:
                    answer = SERVICES[self.path](model, np.array(images, np.float32)).tobytes().hex()
                    self.send_response(200)
                except Exception as error:
                    answer = repr(error)
                    self.send_response(500)
                self.end_headers()
                self.wfile.write(answer.encode())

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        server.request_queue_size = 64
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield serve
    for server in running:
        server.shutdown()
        server.server_close()


def ask(address, path, images):
    request = urllib.request.Request(address + path, json.dumps(images.tolist()).encode())
    with urllib.request.urlopen(request, timeout=300) as answer:
        return answer.read().decode()


def batch(number):
    """One image or several: batches of different sizes share the workspaces."""
    return X[number % 11 : number % 11 + 1 + number % 4]


def test_eight_clients_and_four_hundred_requests(server):
    address = server(small_net())  # fresh: the first requests also draw the initial weights
    alone = small_net()

    def work(number):
        path = list(SERVICES)[number % 3]
        return path, number, ask(address, path, batch(number))

    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = list(clients.map(work, range(REQUESTS)))
    assert len(answers) == REQUESTS
    for path, number, answer in answers:
        assert answer == SERVICES[path](alone, batch(number)).tobytes().hex(), (path, number)


def test_two_models_behind_one_server_each_answer_for_themselves(server):
    models = [small_net(seed) for seed in (1, 2)]
    expected = [[model.predict(batch(number)).tobytes().hex() for number in range(12)] for model in models]
    addresses = [server(model) for model in models]
    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = list(clients.map(lambda n: ask(addresses[n % 2], "/predict", batch(n // 2 % 12)), range(96)))
    assert answers == [expected[number % 2][number // 2 % 12] for number in range(96)]
