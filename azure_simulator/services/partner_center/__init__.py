"""Partner Center: what a Cloud Solution Provider sees of its customers, and how it cancels a customer's Azure subscription."""
