from tests.cli.test_compare import *
from tests.cli.conftest import *
def test_look(project, server, capsys):
    server.script = lambda body: '{"team": "none"}' if "Hello" in body["messages"][-1]["content"] and body["model"]!="a" else better(body)
    outs=[project.run("run")]
    project.adopt()
    outs.append(project.run("run"))
    outs.append(project.run("compare","--model","openai/a","--model","openai/b", "--prompt", BETTER))
    outs.append(project.run("compare","triage@1", BETTER, "-v"))
    with capsys.disabled():
        for o in outs: print("=====",o.code); print(o.out); print(o.err)
