"""The views of `routing_apps` in Pyramid: by routes, by traversal of resources, and by name."""

from tests.routing_apps import notation, report


class Resource(dict):
    """A resource: the name of its view, its children, and the child for every other name."""

    def __init__(self, view, children=(), *, other=None):
        super().__init__(children)
        self.view = view
        self.other = other

    def __missing__(self, name):
        if self.other is None:
            raise KeyError(name)
        return self.other


class Admin(Resource):
    """The resource whose view of the users has a name of its own."""


def tree():
    """Return the root of the resources."""
    files = Resource("static")
    files.other = files
    return Resource(
        "home",
        {
            "admin": Admin("admin"),
            "orders": Resource("orders", other=Resource("order")),
            "health": Resource("health"),
            "static": Resource(None, other=files),
            "statics": Resource("statics"),
            "grüße": Resource(None, other=Resource("greet")),
        },
    )


def answer(request, view):
    """Return the answer of a view."""
    from pyramid.httpexceptions import HTTPNotFound
    from pyramid.response import Response

    if view is None:
        raise HTTPNotFound
    seen = report(request.environ, view, request.method)
    return Response(json_body=seen, headers={"X-View": view})


def show(context, request):
    """Show a resource. A "+" marks that the path went on, since Pyramid runs the same view."""
    return answer(request, context.view and context.view + "+" * bool(request.subpath))


def users(context, request):
    """Show the users, by the name of this view."""
    return answer(request, "users" + "+" * bool(request.subpath))


def dispatch_app():
    """Return an application with URL dispatch."""
    from pyramid.config import Configurator

    config = Configurator()
    for name, path in notation(path="{path:.+}", left="{", right="}"):
        config.add_route(name, path)
        config.add_view(lambda request, name=name: answer(request, name), route_name=name)
    return config.make_wsgi_app()


def traversal_app():
    """Return an application with a tree of resources."""
    from pyramid.config import Configurator

    config = Configurator(root_factory=lambda request: tree())
    config.add_view(show, context=Resource)
    config.add_view(users, context=Admin, name="users")
    return config.make_wsgi_app()


def hybrid_app():
    """Return an application that traverses the tree below ``/hybrid``."""
    from pyramid.config import Configurator

    config = Configurator()
    config.add_route("hybrid", "/hybrid/*traverse", factory=lambda request: tree())
    config.add_view(show, context=Resource, route_name="hybrid")
    config.add_view(users, context=Admin, name="users", route_name="hybrid")
    return config.make_wsgi_app()


def named_views_app():
    """Return an application whose root has no children, only named views that read the subpath."""
    from pyramid.config import Configurator

    class Root:
        def __init__(self, request):
            pass

    below = {
        "admin": "admin+",
        "orders": "order",
        "health": "health+",
        "static": "static",
        "statics": "statics+",
        "grüße": "greet",
    }

    def named(context, request):
        name, more = request.view_name, request.subpath
        if name in {"static", "grüße"} and not more:
            return answer(request, None)
        if name == "admin" and more[:1] == ("users",):
            return answer(request, "users" + "+" * (len(more) > 1))
        return answer(request, below[name] if more else name)

    config = Configurator(root_factory=Root)
    config.add_view(lambda context, request: answer(request, "home"), context=Root)
    for name in below:
        config.add_view(named, context=Root, name=name)
    return config.make_wsgi_app()
