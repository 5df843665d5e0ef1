//! Marks the await points of a job's body, so that the testkit can crash the job there.
//!
//! `x.await` becomes `(passed)(point(&place), (x.await,))`: two functions that return their arguments, around unchanged
//! tokens. In this form rustc accepts the same programs and reports the same mistakes as without marks: an argument may be
//! coerced, the operand's temporaries live as long, and no value has to be `Send` that did not have to be before.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use syn::parse::Parser as _;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::visit_mut::{self, VisitMut};
use syn::{Block, Expr, Item, Macro, Stmt, Token};

use crate::text::type_text;

/// The length to which the text of an operand is shortened, in characters.
const SHOWN: usize = 60;

/// Marks a body. A body that does not parse stays as it is.
pub(crate) fn marked(body: &TokenStream, private: TokenStream) -> TokenStream {
    let Ok(mut block) = syn::parse2::<Block>(body.clone()) else { return body.clone() };
    Marker { private }.visit_block_mut(&mut block);
    block.into_token_stream()
}

struct Marker {
    private: TokenStream,
}

impl VisitMut for Marker {
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        // The text shows the operand as it was written, without marks.
        let location = match expr {
            Expr::Await(awaited) => self.location(&awaited.base.to_token_stream(), awaited.base.span()),
            Expr::Macro(call) if waits(&call.mac) => {
                self.location(&call.mac.to_token_stream(), call.mac.path.span())
            }
            _ => return visit_mut::visit_expr_mut(self, expr),
        };
        let ends = match expr {
            Expr::Await(awaited) => (awaited.base.span(), awaited.await_token.span),
            _ => (expr.span(), expr.span()),
        };
        visit_mut::visit_expr_mut(self, expr);
        *expr = Expr::Verbatim(self.point(&location, &expr.to_token_stream(), ends));
    }

    fn visit_block_mut(&mut self, block: &mut Block) {
        let last = block.stmts.len().saturating_sub(1);
        for (index, statement) in block.stmts.iter_mut().enumerate() {
            if let Stmt::Macro(call) = statement
                && waits(&call.mac)
            {
                let mut expr = Expr::Macro(syn::ExprMacro { attrs: Vec::new(), mac: call.mac.clone() });
                self.visit_expr_mut(&mut expr);
                // A macro call in braces may stand without a semicolon in the middle of a block.
                let semicolon = call.semi_token.or_else(|| (index < last).then(<Token![;]>::default));
                *statement = Stmt::Expr(expr, semicolon);
            } else {
                self.visit_stmt_mut(statement);
            }
        }
    }

    /// Leaves nested items unmarked: they may run outside of the attempt.
    fn visit_item_mut(&mut self, _: &mut Item) {}

    fn visit_macro_mut(&mut self, call: &mut Macro) {
        if is_one_of(call, &["join", "try_join"])
            && let Ok(mut operands) =
                Punctuated::<Expr, Token![,]>::parse_terminated.parse2(call.tokens.clone())
        {
            operands.iter_mut().for_each(|operand| self.visit_expr_mut(operand));
            call.tokens = operands.into_token_stream();
        }
    }
}

impl Marker {
    /// Writes the location of a point, as a constant.
    fn location(&self, operand: &TokenStream, span: Span) -> TokenStream {
        let private = &self.private;
        let mut text = type_text(operand.clone());
        if text.chars().count() > SHOWN {
            text = text.chars().take(SHOWN).chain(['…']).collect();
        }
        let (file, line, column) = line_and_column(span);
        quote! {
            #private::explore::SourceLocation { file: #file, line: #line, column: #column, text: #text }
        }
    }

    /// Writes the point around an expression. The parentheses get the spans that rustc would report in the unmarked program.
    fn point(&self, location: &TokenStream, expr: &TokenStream, (first, last): (Span, Span)) -> TokenStream {
        let private = &self.private;
        let mut callee = Group::new(Delimiter::Parenthesis, quote!(#private::explore::passed));
        callee.set_span(first);
        let mut arguments =
            Group::new(Delimiter::Parenthesis, quote!(#private::explore::point(&#location), (#expr,)));
        arguments.set_span(last);
        [TokenTree::Group(callee), TokenTree::Group(arguments)].into_iter().collect()
    }
}

/// Checks whether a macro awaits its operands.
fn waits(call: &Macro) -> bool {
    is_one_of(call, &["join", "try_join", "select"])
}

fn is_one_of(call: &Macro, names: &[&str]) -> bool {
    call.path.segments.last().is_some_and(|last| names.iter().any(|name| last.ident == name))
}

/// Returns the file, and the line and the column counted from 1.
fn line_and_column(span: Span) -> (String, u32, u32) {
    if !proc_macro::is_available() {
        return (String::new(), 0, 0);
    }
    let span = span.unwrap();
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    (span.file(), number(span.line()), number(span.column()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(body: &str) -> String {
        marked(&body.parse().unwrap(), quote!(p)).to_string()
    }

    fn point(text: &str, expr: &str) -> String {
        let point = format!(
            "(p::explore::passed)(p::explore::point(&p::explore::SourceLocation {{ file: \"\", line: 0u32, column: 0u32, text: {text:?} }}), ({expr},))"
        );
        point.parse::<TokenStream>().unwrap().to_string()
    }

    #[test]
    fn each_await_is_a_point_and_its_operand_is_unchanged() {
        let inner = point("b(1)", "b(1).await");
        let outer = point("a(b(1).await?)", &format!("a({inner}?).await"));

        assert_eq!(mark("{ a(b(1).await?).await }"), format!("{{ {outer} }}"));
    }

    #[test]
    fn a_macro_that_awaits_several_operands_is_a_point_with_points_in_it() {
        let inner = point("x", "x.await");

        let joined = mark("{ join!(async { x.await }, y); z }");
        let point = point("join!(async{x.await}, y)", &format!("join!(async {{ {inner} }}, y)"));
        assert_eq!(joined, format!("{{ {point} ; z }}"));
        assert!(mark("{ tokio::select! { () = a => {} } b() }").contains("explore :: point"));
    }

    #[test]
    fn other_macros_functions_in_the_body_and_half_typed_bodies_stay_as_they_are() {
        for body in ["{ info!(a.await); fn f() { async { b.await }; } }", "{ mailer. }", "{ plain() }"] {
            assert_eq!(mark(body), body.parse::<TokenStream>().unwrap().to_string());
        }
    }
}
