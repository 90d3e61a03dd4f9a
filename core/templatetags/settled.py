"""{% trans %}, {% static %} and {% url %} of nothing but literals, settled while compiling.

A desk's frame has a hundred of them, the same on every page of a language. Stands in for
Django's own libraries (TEMPLATES in settings) and is right only under core.loaders.PerLanguage.
What must not live here: a tag that looks at the request.
"""

from django.template import Context
from django.template.base import FilterExpression, Node, Parser, TextNode, Token, Variable
from django.template.defaulttags import url as django_url
from django.template.library import Library
from django.templatetags import i18n, static
from django.urls import NoReverseMatch

register = Library()
register.tags = {**static.register.tags, **i18n.register.tags}
register.filters = {**static.register.filters, **i18n.register.filters}


@register.tag("translate")
@register.tag("trans")
def trans(parser: Parser, token: Token) -> Node:
    """Django's, or the translation itself where it hangs on the language alone."""
    node = i18n.do_translate(parser, token)
    given = node.message_context or node.asvar or node.noop
    return node if given or not _is_literal(node.filter_expression) else _settled(node)


@register.tag("static")
def static_file(parser: Parser, token: Token) -> Node:
    """Django's, or the address itself where the path is a literal."""
    node = static.do_static(parser, token)
    return node if node.varname or not _is_literal(node.path) else _settled(node)


@register.tag("url")
def url(parser: Parser, token: Token) -> Node:
    """Django's, or the address itself where nothing is asked of the page.

    Names in a namespace stay, for they hang on the request's application; so does a name
    nobody answers to, for the page may never come to it.
    """
    node = django_url(parser, token)
    if node.args or node.kwargs or node.asvar or not _is_literal(node.view_name):
        return node
    if ":" in node.view_name.resolve(Context()):
        return node
    try:
        return _settled(node)
    except NoReverseMatch:
        return node


def _is_literal(expression: FilterExpression) -> bool:
    if expression.filters:
        return False
    var = expression.var
    return not isinstance(var, Variable) or var.literal is not None


def _settled(node: Node) -> TextNode:
    return TextNode(node.render(Context()))
